"""A mail server that behaves as it is told: aiosmtpd, which speaks to its starter in lines of JSON.

stdin: one mode a line. stdout: {"port": …} once, then {"mode": …} for each mode, and a line for each mail that it has taken.
"""

import asyncio
import json
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

logging.disable()  # of clients that it has cut itself
warnings.simplefilter("ignore")
mode = "well"


def say(**what):
    print(json.dumps(what), flush=True)


async def stall(phase):
    if mode == "stall at " + phase:
        await asyncio.sleep(3600)


class Server(SMTP):
    async def _handle_client(self):
        await stall("greeting")
        await super()._handle_client()

    async def smtp_DATA(self, arg):
        await stall("DATA")
        await super().smtp_DATA(arg)

    async def smtp_NOOP(self, arg):
        if mode == "cut idle":
            self.transport.abort()
        else:
            await super().smtp_NOOP(arg)


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        await stall("EHLO")
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        await stall("MAIL")
        if mode == "closing":
            return "421 4.3.2 shutting down"
        if mode == "refuse the sender":
            return "550 5.7.1 this sender may not"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        await stall("RCPT")
        if mode == "full":
            return "452 4.2.2 mailbox full"
        if mode == "refuse" or mode == "refuse one" and address.startswith("nobody"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        await stall("the end")
        if mode == "later":
            return "451 4.7.1 greylisted, try again later"
        if mode == "spam":
            return "554 5.7.1 spam"
        if mode == "slow":
            await asyncio.sleep(0.03)
        tls = session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None
        say(mail=envelope.content.decode(), sender=envelope.mail_from, to=envelope.rcpt_tos, tls=tls,
            user=(session.auth_data.login.decode() if session.auth_data else ""), session=id(session))
        if mode == "cut":
            server.transport.abort()
            await asyncio.sleep(3600)
        return "250 2.0.0 taken"


class Auth:
    def __init__(self, user, password):
        self.expected = LoginPassword(user.encode(), password.encode())

    def __call__(self, server, session, envelope, mechanism, data):
        return AuthResult(success=data == self.expected, handled=False, auth_data=data)


async def main(how, cert, key, user, password):
    global mode
    context = None
    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
    options = {}
    if how == "starttls":
        options = {"tls_context": context, "require_starttls": True}
    if user:
        options |= {"authenticator": Auth(user, password), "auth_required": True, "auth_require_tls": how == "starttls"}
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    server = await loop.create_server(lambda: Server(Handler(), timeout=60, **options), "127.0.0.1", 0,
                                      ssl=context if how == "tls" else None)
    say(port=server.sockets[0].getsockname()[1])
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        mode = line.decode().strip()
        say(mode=mode)


asyncio.run(main(*sys.argv[1:]))
