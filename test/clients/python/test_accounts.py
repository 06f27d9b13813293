"""matrix-nio registers, manages devices, and logs in by token."""

import asyncio
import json
import time
import unittest
from urllib.parse import parse_qs, urlsplit

from nio import DeleteDevicesAuthResponse, LoginResponse, RegisterResponse
from nio.responses import (
    DeleteDevicesError,
    DeleteDevicesResponse,
    DevicesResponse,
    DiscoveryInfoResponse,
    RegisterErrorResponse,
    UpdateDeviceError,
    UpdateDeviceResponse,
    WhoamiError,
    WhoamiResponse,
)

from case import Case
from server import PASSWORD

PUBLIC_URL = "https://matrix.example.org"


class Accounts(Case):
    flags = ("--rate-limit", "off", "--registration", "open", "--login-tokens", "--public-url", PUBLIC_URL)

    def proof(self, client, session=None, password=PASSWORD):
        proof = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": client.user},
            "password": password,
        }
        return proof | ({"session": session} if session else {})

    async def two_devices(self):
        phone = self.client(device_id="PHONE")
        self.assertIsInstance(await phone.login(PASSWORD, device_name="Pocket"), LoginResponse)
        laptop = self.client(phone.user, device_id="LAPTOP")
        self.assertIsInstance(await laptop.login(PASSWORD, device_name="Lap"), LoginResponse)
        return phone, laptop

    async def test_register(self):
        client = self.client("carol", device_id="PHONE")
        answer = await client.register("carol", PASSWORD, device_name="Pocket")
        self.assertIsInstance(answer, RegisterResponse)
        self.assertEqual((answer.user_id, answer.device_id), ("@carol:localhost", "PHONE"))
        self.assertEqual((await client.whoami()).user_id, "@carol:localhost")
        self.assertIn("Pocket", self.server.command("session", "list", "carol"))
        await self.logged_in("carol")

    async def test_register_refused(self):
        cases = (
            (self.server.add_user(), PASSWORD, "M_USER_IN_USE"),
            ("two words", PASSWORD, "M_INVALID_USERNAME"),
            ("dave", "short", "M_WEAK_PASSWORD"),
        )
        for name, password, code in cases:
            with self.subTest(code):
                answer = await self.client("nobody").register(name, password)
                self.assertIsInstance(answer, RegisterErrorResponse)
                self.assertEqual(answer.status_code, code)

    async def test_devices(self):
        phone, _ = await self.two_devices()
        answer = await phone.devices()
        self.assertIsInstance(answer, DevicesResponse)
        names = {device.id: device.display_name for device in answer.devices}
        self.assertEqual(names, {"PHONE": "Pocket", "LAPTOP": "Lap"})
        for device in answer.devices:
            self.assertEqual(device.last_seen_ip, "127.0.0.1")
            self.assertLess(abs(device.last_seen_date.timestamp() - time.time()), 60)

    async def test_devices_without_a_name(self):
        client = await self.logged_in(device_id="PHONE")
        answer = await client.devices()
        self.assertIsInstance(answer, DevicesResponse, await answer.transport_response.text())
        self.assertEqual([device.id for device in answer.devices], ["PHONE"])

    async def test_update_device(self):
        phone, laptop = await self.two_devices()
        answer = await phone.update_device("LAPTOP", {"display_name": "Renamed"})
        self.assertIsInstance(answer, UpdateDeviceResponse)
        names = {device.display_name for device in (await laptop.devices()).devices}
        self.assertEqual(names, {"Pocket", "Renamed"})

    async def test_update_device_of_another_user(self):
        phone, _ = await self.two_devices()
        answer = await (await self.logged_in()).update_device("PHONE", {"display_name": "Mine"})
        self.assertIsInstance(answer, UpdateDeviceError)
        self.assertEqual(answer.status_code, "M_NOT_FOUND")
        self.assertIsInstance(await phone.whoami(), WhoamiResponse)

    async def test_delete_devices(self):
        phone, laptop = await self.two_devices()
        asked = await phone.delete_devices(["LAPTOP"])
        self.assertIsInstance(asked, DeleteDevicesAuthResponse)
        self.assertEqual(asked.flows, [{"stages": ["m.login.password"]}])
        self.assertIsInstance(await laptop.whoami(), WhoamiResponse)
        answer = await phone.delete_devices(["LAPTOP"], self.proof(phone, asked.session))
        self.assertIsInstance(answer, DeleteDevicesResponse)
        await self.assert_unknown(laptop, soft=False)
        self.assertIsInstance(await phone.whoami(), WhoamiResponse)
        self.assertEqual([device.id for device in (await phone.devices()).devices], ["PHONE"])

    async def test_delete_devices_with_the_older_proof(self):
        phone, laptop = await self.two_devices()
        auth = {"type": "m.login.password", "user": phone.user, "password": PASSWORD}
        self.assertIsInstance(await phone.delete_devices(["LAPTOP"], auth), DeleteDevicesResponse)
        await self.assert_unknown(laptop, soft=False)

    async def test_delete_devices_with_a_wrong_password(self):
        phone, laptop = await self.two_devices()
        asked = await phone.delete_devices(["LAPTOP"])
        again = await phone.delete_devices(["LAPTOP"], self.proof(phone, asked.session, "wrong"))
        self.assertIsInstance(again, DeleteDevicesAuthResponse)
        self.assertEqual(again.session, asked.session)
        self.assertEqual((await again.transport_response.json())["errcode"], "M_FORBIDDEN")
        self.assertIsInstance(await laptop.whoami(), WhoamiResponse)

    async def test_delete_devices_in_the_session_of_another_user(self):
        phone, laptop = await self.two_devices()
        thief = await self.logged_in()
        asked = await phone.delete_devices(["LAPTOP"])
        answer = await thief.delete_devices(["LAPTOP"], self.proof(thief, asked.session))
        self.assertEqual((answer.transport_response.status, answer.status_code), (403, "M_FORBIDDEN"))
        self.assertIsInstance(answer, DeleteDevicesError)
        self.assertIsInstance(await laptop.whoami(), WhoamiResponse)

    async def test_password_change(self):
        # nio has no call for it; the path and the token in the query are those of its time.
        phone, laptop = await self.two_devices()
        path = f"/_matrix/client/r0/account/password?access_token={phone.access_token}"
        body = json.dumps({"new_password": "tr0ub4dor&3", "auth": self.proof(phone)})
        self.assertEqual((await phone.send("POST", path, body)).status, 200)
        self.assertIsInstance(await phone.whoami(), WhoamiResponse)
        await self.assert_unknown(laptop, soft=False)
        self.assertEqual((await self.client(phone.user).login(PASSWORD)).status_code, "M_FORBIDDEN")
        self.assertIsInstance(await self.client(phone.user).login("tr0ub4dor&3"), LoginResponse)

    async def test_login_link(self):
        user = self.server.add_user()
        link = self.server.command("user", "login-link", user, "--client", "https://app.example.org").strip()
        [token] = parse_qs(urlsplit(link).query)["loginToken"]
        client = self.client(user)
        self.assertIsInstance(await client.login(token=token), LoginResponse)
        self.assertEqual((await client.whoami()).user_id, f"@{user}:localhost")
        self.assertEqual((await self.client(user).login(token=token)).status_code, "M_FORBIDDEN")

    async def test_lock(self):
        client = await self.logged_in()
        token = client.access_token
        self.server.command("user", "lock", client.user)
        answer = await client.whoami()
        self.assertIsInstance(answer, WhoamiError)
        self.assertEqual((answer.status_code, answer.soft_logout), ("M_USER_LOCKED", True))
        self.assertEqual((await self.client(client.user).login(PASSWORD)).status_code, "M_USER_LOCKED")
        self.server.command("user", "unlock", client.user)
        client.access_token = token  # nio forgets it upon a soft logout
        self.assertIsInstance(await client.whoami(), WhoamiResponse)

    async def test_discovery(self):
        answer = await self.client("nobody").discovery_info()
        self.assertIsInstance(answer, DiscoveryInfoResponse)
        self.assertEqual(answer.homeserver_url, PUBLIC_URL)

    async def test_one_name_for_one_of_many(self):
        clients = [self.client("nobody") for _ in range(10)]
        answers = await asyncio.gather(*(client.register("erin", PASSWORD) for client in clients))
        self.assertEqual(sum(isinstance(answer, RegisterResponse) for answer in answers), 1)


class Closed(Case):
    async def test_register(self):
        answer = await self.client("nobody").register("carol", PASSWORD)
        self.assertIsInstance(answer, RegisterErrorResponse)
        self.assertEqual(answer.status_code, "M_FORBIDDEN")

    async def test_login_info(self):
        self.assertEqual((await self.client("nobody").login_info()).flows, ["m.login.password"])


class ByToken(Case):
    flags = ("--rate-limit", "off", "--registration", "token")

    async def test_register(self):
        # nio knows no stage but the dummy, which this server does not ask for.
        token = self.server.command("invite", "add").strip()
        client = self.client("nobody")
        answer = await client.register("carol", PASSWORD)
        self.assertEqual(answer.status_code, "M_UNRECOGNIZED")
        body = {"username": "carol", "password": PASSWORD, "auth": {"type": "m.login.registration_token", "token": token}}
        answer = await client._send(RegisterResponse, "POST", "/_matrix/client/r0/register", json.dumps(body))
        self.assertIsInstance(answer, RegisterResponse)
        await self.logged_in("carol")


if __name__ == "__main__":
    unittest.main()
