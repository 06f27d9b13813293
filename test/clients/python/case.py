"""What the suites of matrix-nio share. This client is of the r0 era: it sends the access token in the query and
knows no refresh tokens, so those are asked for over its own connection."""

import json
import logging
import unittest

from nio import AsyncClient, LoginResponse
from nio.responses import WhoamiError

from server import PASSWORD, Server

logging.disable(logging.CRITICAL)  # nio logs every refusal


class Case(unittest.IsolatedAsyncioTestCase):
    """Has one server for all its tests, and a client that closes by itself."""

    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.flags)

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        assert code == 0, f"exit code {code} after SIGTERM"

    def client(self, user=None, device_id=""):
        client = AsyncClient(self.server.url, user or self.server.add_user(), device_id=device_id)
        self.addAsyncCleanup(client.close)
        return client

    async def logged_in(self, user=None, device_id=""):
        client = self.client(user, device_id)
        self.assertIsInstance(await client.login(PASSWORD), LoginResponse)
        return client

    async def logged_in_to_refresh(self):
        """A client and the refresh token that it was given."""
        client = self.client()
        answer = await client.login_raw(
            {
                "type": "m.login.password",
                "identifier": {"type": "m.id.user", "user": client.user},
                "password": PASSWORD,
                "refresh_token": True,
            }
        )
        self.assertIsInstance(answer, LoginResponse)
        return client, (await answer.transport_response.json())["refresh_token"]

    async def refresh(self, client, token):
        body = json.dumps({"refresh_token": token})
        answer = await client.send("POST", "/_matrix/client/v3/refresh", body)
        return answer.status, await answer.json()

    async def assert_unknown(self, client, soft):
        answer = await client.whoami()
        self.assertIsInstance(answer, WhoamiError)
        self.assertEqual((answer.status_code, answer.soft_logout), ("M_UNKNOWN_TOKEN", soft))
