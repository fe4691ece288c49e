"""Debian's redis-server, as what starlingd is compared with."""

import shutil
import subprocess

from harness.node import LEASH, free_port
from harness.resp import Client
from harness.waiting import eventually


class RedisServer:
    """One redis-server that keeps nothing, on a free port of loopback, with its log and nothing
    else in `folder`."""

    def __init__(self, folder):
        program = shutil.which("redis-server")
        assert program, "redis-server is not installed; ./dev test provides it"
        folder.mkdir(parents=True, exist_ok=True)
        self.host, self.port = "127.0.0.1", free_port()
        self._process = subprocess.Popen(
            [*LEASH, program, "--port", str(self.port), "--bind", self.host, "--save", "",
             "--appendonly", "no", "--dir", str(folder), "--logfile", str(folder / "redis.log")],
            stdin=subprocess.DEVNULL, process_group=0)

        def answers():
            with Client(self.host, self.port) as client:
                return client.call("PING") == "PONG"
        eventually("redis-server answers", answers)

    def close(self):
        self._process.kill()
        self._process.wait()
