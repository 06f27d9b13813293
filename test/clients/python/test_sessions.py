"""matrix-nio logs in and out."""

import unittest

from nio import LoginError, LogoutError, LogoutResponse
from nio.responses import WhoamiResponse

from case import Case
from server import PASSWORD


class Sessions(Case):
    flags = ("--rate-limit", "off")

    async def test_login_info(self):
        self.assertIn("m.login.password", (await self.client("nobody").login_info()).flows)

    async def test_login(self):
        client = await self.logged_in()
        self.assertRegex(client.user_id, "^@user[0-9]+:localhost$")
        self.assertTrue(client.device_id and client.access_token)

    async def test_wrong_password(self):
        answer = await self.client().login("wrong")
        self.assertIsInstance(answer, LoginError)
        self.assertEqual(answer.status_code, "M_FORBIDDEN")

    async def test_unknown_user_looks_like_a_wrong_password(self):
        wrong, unknown = await self.client().login("wrong"), await self.client("nobody").login("wrong")
        self.assertEqual(str(unknown), str(wrong))

    async def test_deactivated_user(self):
        user = self.server.add_user()
        self.server.command("user", "deactivate", user)
        self.assertEqual((await self.client(user).login(PASSWORD)).status_code, "M_USER_DEACTIVATED")

    async def test_whoami(self):
        client = await self.logged_in()
        answer = await client.whoami()
        self.assertIsInstance(answer, WhoamiResponse)
        self.assertEqual(answer.user_id, client.user_id)

    async def test_device_id_is_kept(self):
        client = await self.logged_in(device_id="PHONE")
        self.assertEqual(client.device_id, "PHONE")
        again = await self.logged_in(client.user, device_id="PHONE")
        self.assertEqual(again.device_id, "PHONE")
        self.assertEqual((await client.whoami()).status_code, "M_UNKNOWN_TOKEN")

    async def test_device_name(self):
        client = self.client()
        await client.login(PASSWORD, device_name="Pocket")
        self.assertIn("Pocket", self.server.command("session", "list", client.user))

    async def test_logout(self):
        client = await self.logged_in()
        token = client.access_token
        self.assertIsInstance(await client.logout(), LogoutResponse)
        client.access_token = token  # nio forgets it
        await self.assert_unknown(client, soft=False)
        self.assertIsInstance(await client.logout(), LogoutError)

    async def test_logout_of_all_devices(self):
        client = await self.logged_in()
        other = await self.logged_in(client.user)
        self.assertIsInstance(await client.logout(all_devices=True), LogoutResponse)
        await self.assert_unknown(other, soft=False)

    async def test_session_ended_by_the_operator(self):
        client = await self.logged_in()
        self.server.command("session", "end", "--user", client.user)
        await self.assert_unknown(client, soft=False)


if __name__ == "__main__":
    unittest.main()
