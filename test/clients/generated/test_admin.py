"""A client that openapi-python-client has made of api/admin.yaml, against the built binary. Nobody here wrote it: what it
sends is what the contract says to others, and what it cannot read an answer fails on."""

import os
import pkgutil
import sys
import unittest
from importlib import import_module

sys.path[:0] = [os.environ["GENERATED"], os.path.join(os.path.dirname(__file__), "..", "python")]

import postern_admin.api
from postern_admin import AuthenticatedClient
from postern_admin.models import (
    AccountState,
    Deactivation,
    Error,
    ListAccountsState,
    NewAccount,
    NewEmail,
    NewInvitation,
    NewPassword,
    SessionScope,
)
from postern_admin.types import UNSET
from server import PASSWORD, Server


def operations():
    """All operations of the client, by name."""
    found = {}
    for package in pkgutil.iter_modules(postern_admin.api.__path__):
        package = import_module(f"postern_admin.api.{package.name}")
        for module in pkgutil.iter_modules(package.__path__):
            found[module.name] = import_module(f"{package.__name__}.{module.name}")
    return found


class Admin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--admin-api", "--registration", "approval")
        cls.operations = operations()
        cls.called = set()
        cls.server.command("user", "add", "ops", "--password-stdin", text=PASSWORD)
        cls.server.command("user", "admin", "ops", "on")
        cls.client = cls.holding()

    @classmethod
    def tearDownClass(cls):
        cls.client.get_httpx_client().close()
        code = cls.server.stop()
        assert code == 0, f"exit code {code} after SIGTERM"

    @classmethod
    def holding(cls, *caveats):
        """A client with a token that these caveats narrow."""
        token = cls.server.command("token", "issue", "--admin", "ops", "--name", "generated", *caveats).strip()
        return AuthenticatedClient(base_url=cls.server.url, token=token, raise_on_unexpected_status=True)

    def ask(self, name, *arguments, status=200, client=None, **more):
        """Calls an operation, and gives what the client has read."""
        self.called.add(name)
        answer = self.operations[name].sync_detailed(*arguments, client=client or self.client, **more)
        self.assertEqual(answer.status_code, status, answer.content)
        self.assertIsNotNone(answer.parsed)
        return answer.parsed

    def test_story(self):
        """One story that calls every operation."""
        carol = self.ask("create_account", body=NewAccount(localpart="carol", password=PASSWORD, admin=True), status=201)
        self.assertEqual((carol.user_id, carol.state, carol.admin), ("@carol:localhost", AccountState.ACTIVE, True))
        taken = self.ask("create_account", body=NewAccount(localpart="carol"), status=400)
        self.assertIsInstance(taken, Error)
        self.assertEqual(taken.errcode, "M_USER_IN_USE")
        self.assertFalse(self.ask("revoke_admin", "carol").admin)
        self.assertTrue(self.ask("grant_admin", "@carol:localhost").admin)
        self.assertEqual(self.ask("lock_account", "carol").state, AccountState.LOCKED)
        locked = self.ask("list_accounts", state=ListAccountsState.LOCKED, search="AR").accounts
        self.assertEqual([a.localpart for a in locked], ["carol"])
        self.assertIs(self.ask("unlock_account", "carol").locked_ts, UNSET)

        self.log_in("carol")
        session = self.ask("list_account_sessions", "carol").sessions[0]
        self.assertEqual((session.localpart, session.bot, session.scope), ("carol", False, SessionScope.CLIENT))
        self.assertEqual(self.ask("get_session", session.session_id).device_id, session.device_id)
        self.assertEqual(self.ask("end_session", session.session_id).sessions_ended, 1)
        self.ask("get_session", session.session_id, status=404)
        self.log_in("carol")
        self.assertEqual(self.ask("end_account_sessions", "carol").sessions_ended, 1)
        self.log_in("carol")
        self.assertEqual(self.ask("set_password", "carol", body=NewPassword(password=PASSWORD + "s")).sessions_ended, 1)
        self.ask("create_reset_link", "carol", status=400)  # this server has no pages
        self.assertEqual(self.ask("list_factors", "carol").factors, [])
        self.assertEqual(self.ask("clear_factors", "carol").factors_cleared, 0)
        added = self.ask("add_email", "carol", body=NewEmail(address="Carol@example.org"), status=201)
        self.assertEqual([e.to_dict() for e in self.ask("list_emails", "carol").emails], [added.to_dict()])
        self.assertEqual(self.ask("remove_email", "carol", "carol@example.org").emails, [])
        self.ask("deactivate_account", "carol", body=Deactivation(erase=False))
        self.assertEqual(self.ask("get_account", "carol").state, AccountState.DEACTIVATED)
        self.assertEqual(self.ask("reactivate_account", "carol").state, AccountState.ACTIVE)

        invited = self.ask("create_invitation", body=NewInvitation(token="open-day", uses_allowed=3), status=201)
        self.assertEqual((invited.token, invited.uses_allowed, invited.used), ("open-day", 3, 0))
        self.assertEqual(self.ask("get_invitation", "open-day").created_ts, invited.created_ts)
        self.assertEqual(self.ask("revoke_invitation", "open-day").state.value, "revoked")
        self.assertEqual(len(self.ask("list_invitations").invitations), 1)

        for name in "dave", "erin":
            self.sign_up(name)
        self.assertEqual([s.localpart for s in self.ask("list_signups").signups], ["dave", "erin"])
        self.assertEqual(self.ask("get_signup", "dave").user_id, "@dave:localhost")
        self.assertEqual(self.ask("approve_signup", "dave").localpart, "dave")
        self.ask("reject_signup", "erin")

        self.assertEqual([e.kind for e in self.ask("list_events", kind=["locked", "unlocked"]).events], ["unlocked", "locked"])
        counts = self.ask("count")
        self.assertGreaterEqual(counts.accounts, 3)  # ops, carol and dave
        self.assertEqual(counts.signups, 0)
        self.assertTrue(self.ask("list_sessions").sessions)
        self.assertEqual(self.called, set(self.operations))

    def test_pages(self):
        """A list that is read a page at a time is the list."""
        for n in range(5):
            self.ask("create_account", body=NewAccount(localpart=f"page{n}"), status=201)
        names, after = [], UNSET
        while True:
            page = self.ask("list_accounts", search="page", limit=2, from_=after)
            names += [a.localpart for a in page.accounts]
            after = page.next_
            if after is UNSET:
                break
        self.assertEqual(names, [f"page{n}" for n in range(5)])

    def test_narrowed(self):
        """A token opens what its caveats say."""
        client = self.holding("method in GET", "path under /_postern/admin/v1/events")
        self.ask("list_events", client=client)
        refused = self.ask("list_accounts", client=client, status=403)
        self.assertEqual(refused.errcode, "M_FORBIDDEN")
        client.get_httpx_client().close()

    def post(self, path, body):
        return self.client.get_httpx_client().post(f"/_matrix/client/v3{path}", json=body, headers={"Authorization": ""})

    def log_in(self, name):
        identifier = {"type": "m.id.user", "user": name}
        answer = self.post("/login", {"type": "m.login.password", "identifier": identifier, "password": PASSWORD})
        self.assertEqual(answer.status_code, 200, answer.text)

    def sign_up(self, name):
        answer = self.post("/register", {"username": name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}})
        self.assertEqual(answer.status_code, 403, answer.text)


if __name__ == "__main__":
    unittest.main()
