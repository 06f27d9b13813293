"""The built binary, run the way an operator runs it, on a free loopback port."""

import json
import os
import shutil
import subprocess
import tempfile
import threading

BINARY = os.environ["POSTERN_BIN"]
PASSWORD = "correct horse battery staple"


class Server:
    """A running server, from its construction to `stop`."""

    def __init__(self, *flags):
        self.folder = tempfile.mkdtemp(prefix="server-")
        self.db = os.path.join(self.folder, "postern.db")
        self.users = 0
        arguments = [BINARY, "serve", "--db", self.db, "--listen", "127.0.0.1:0", *flags]
        self.process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
        self.url = "http://" + self._address()
        # The log must be read on, or the server would wait for a reader some day.
        self.drain = threading.Thread(target=self.process.stderr.read)
        self.drain.start()

    def _address(self):
        log = []
        for line in self.process.stderr:
            log.append(line)
            entry = json.loads(line)
            if entry["msg"] == "listening":
                return entry["address"]
        raise RuntimeError(f"exit code {self.process.wait()}: {''.join(log)}")

    def command(self, *arguments, text=""):
        """Runs a command of the operator and gives what it prints."""
        command = [BINARY, *arguments, "--db", self.db]
        return subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.PIPE).stdout

    def add_user(self):
        """Adds an account and gives its localpart; every test has its own."""
        self.users += 1
        name = f"user{self.users}"
        self.command("user", "add", name, "--password-stdin", text=PASSWORD)
        return name

    def stop(self):
        """Asks the server to end and gives its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=15)
        finally:
            self.process.kill()  # nothing, when it has ended
            self.drain.join()
            self.process.stderr.close()
            shutil.rmtree(self.folder)
