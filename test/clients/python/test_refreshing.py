"""matrix-nio with tokens that expire, and with a server that makes it wait."""

import asyncio
import unittest

from nio import LoginError, LoginResponse, LogoutResponse
from nio.responses import WhoamiResponse

from case import Case
from server import PASSWORD


class Refreshing(Case):
    flags = ("--rate-limit", "off", "--access-ttl", "1500ms")

    async def test_refresh(self):
        client, token = await self.logged_in_to_refresh()
        status, pair = await self.refresh(client, token)
        self.assertEqual(status, 200)
        self.assertNotEqual(pair["access_token"], client.access_token)
        client.access_token = pair["access_token"]
        self.assertIsInstance(await client.whoami(), WhoamiResponse)

    async def test_asking_again_gives_the_same_pair(self):
        client, token = await self.logged_in_to_refresh()
        answers = await asyncio.gather(*(self.refresh(client, token) for _ in range(20)))
        pairs = {(status, pair["access_token"], pair["refresh_token"]) for status, pair in answers}
        self.assertEqual(len(pairs), 1)

    async def test_expired_token_is_a_soft_logout_and_the_device_stays(self):
        client, _ = await self.logged_in_to_refresh()
        await asyncio.sleep(1.6)
        await self.assert_unknown(client, soft=True)
        again = await self.logged_in(client.user, client.device_id)
        self.assertEqual(again.device_id, client.device_id)

    async def test_expired_token_logs_out(self):
        client, token = await self.logged_in_to_refresh()
        await asyncio.sleep(1.6)
        self.assertIsInstance(await client.logout(), LogoutResponse)
        self.assertEqual((await self.refresh(client, token))[1]["errcode"], "M_UNKNOWN_TOKEN")


class RateLimit(Case):
    flags = ("--rate-limit", "2/2s")

    async def test_nio_waits_as_long_as_it_is_told_and_gets_in(self):
        user, waits = self.server.add_user(), []

        async def note(answer):
            waits.append(answer.retry_after_ms)

        for _ in range(4):
            client = self.client(user)
            client.add_response_callback(note, LoginError)
            self.assertIsInstance(await client.login(PASSWORD), LoginResponse)
        self.assertTrue(waits and all(0 < wait <= 2000 for wait in waits), waits)


if __name__ == "__main__":
    unittest.main()
