"""One person with matrix-nio, as a process of its own: a line of JSON on standard input is a command, a line on standard output its
answer. It keeps the session that it has, whatever happens to the servers behind its address."""

import asyncio
import json
import logging
import sys

from nio import AsyncClient, LoginResponse, RoomCreateResponse, RoomSendResponse, SyncResponse
from nio.responses import WhoamiResponse

logging.disable(logging.CRITICAL)


class Person:
    client = None

    async def login(self, base, user, password):
        self.client = AsyncClient(base, user)
        answer = await self.client.login(password)
        assert isinstance(answer, LoginResponse), answer
        return {"user_id": answer.user_id, "device_id": answer.device_id}

    async def again(self, password):
        """Logs in on the device that it has."""
        device = self.client.device_id
        answer = await self.client.login(password)
        assert isinstance(answer, LoginResponse), answer
        assert answer.device_id == device, answer
        return {"device_id": answer.device_id}

    async def room(self):
        answer = await self.client.room_create()
        assert isinstance(answer, RoomCreateResponse), answer
        return {"room_id": answer.room_id}

    async def talk(self, room, text):
        """Says something and syncs until it has come back."""
        sent = await self.client.room_send(room, "m.room.message", {"msgtype": "m.text", "body": text})
        assert isinstance(sent, RoomSendResponse), sent
        for _ in range(60):
            answer = await self.client.sync(timeout=1000)
            assert isinstance(answer, SyncResponse), answer
            joined = answer.rooms.join.get(room)
            if joined and any(event.event_id == sent.event_id for event in joined.timeline.events):
                return {}
        raise AssertionError("what was said did not come back")

    async def whoami(self):
        answer = await self.client.whoami()
        assert isinstance(answer, WhoamiResponse), answer
        return {"user_id": answer.user_id, "device_id": answer.device_id}


async def main():
    person = Person()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        name = command.pop("do")
        try:
            answer = await getattr(person, name)(**command)
        except Exception as error:  # whatever it is, the test is to see it
            answer = {"failed": f"{name}: {error!r}"}
        print(json.dumps(answer), flush=True)
    if person.client:
        await person.client.close()


asyncio.run(main())
