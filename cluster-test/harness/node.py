"""One starlingd process: started, watched, killed, restarted on the same data."""

import pathlib
import random
import signal
import socket
import subprocess

from harness.resp import Client
from harness.waiting import eventually
from harness.wall_clock import remove_leftovers

# Ends the process with its parent, however that ends; a group of its own keeps Ctrl-C from it.
LEASH = ["setpriv", "--pdeathsig", "KILL"]


_drawn = []  # sockets whose names keep other scenarios from drawing the same ports


def free_port(host="127.0.0.1"):
    """A TCP port that nobody listens on just now, and that no scenario which runs beside this one
    has drawn; below those that the kernel gives to connections, so that a killed node finds it free
    again."""
    while True:
        port = random.randrange(10_000, 32_000)
        drawn = socket.socket(socket.AF_UNIX)
        try:
            drawn.bind(f"\0starling-test-port-{port}")
            with socket.socket() as probe:
                probe.bind((host, port))
        except OSError:
            drawn.close()
            continue
        _drawn.append(drawn)
        return port


class Node:
    """A named node with its folder, its ports and, while it runs, its process.

    Ports are drawn once, so that a restarted node is found where it was. `launcher` is put before
    the program, e.g. to enter a network namespace.
    """

    def __init__(self, program, folder, name, options=(), host="127.0.0.1", port=None,
                 gossip_port=None, password=None, launcher=()):
        self.program = str(program)
        self.folder = pathlib.Path(folder)
        self.name = name
        self.options = list(options)
        self.host = host
        self.port = port or free_port(host)
        self.gossip_port = gossip_port or free_port(host)
        self.password = password
        self.launcher = list(launcher)
        self.process = None
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def log_path(self):
        return self.folder.with_suffix(".log")

    @property
    def gossip_address(self):
        return f"{self.host}:{self.gossip_port}"

    def command_line(self, extra=()):
        line = [self.program, "--name", self.name, "--dir", str(self.folder),
                "--bind", self.host, "--port", str(self.port),
                "--gossip-port", str(self.gossip_port)]
        if self.password:
            line += ["--requirepass", self.password]
        return line + self.options + list(extra)

    def start(self, extra=(), wait=True):
        """Starts the process; with `wait` returns once it answers."""
        assert self.process is None, f"{self.name} is running"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*LEASH, *self.launcher, *self.command_line(extra)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, process_group=0)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=60.0):
        def answers():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n"
                                     f"{self.log()[-2000:]}")
            with self.client() as client:
                return client.call("PING") == "PONG"
        eventually(f"{self.name} answers", answers, timeout)

    def client(self, timeout=30.0, level="local"):
        """A connection whose commands run at this node and merge; `level` None: as services have
        it, at the leaseholder."""
        client = Client(self.host, self.port, self.password, timeout)
        if level:
            client.call("STARLING", "LEVEL", level)
        return client

    def call(self, *words, level="local"):
        """One command on a connection of its own."""
        with self.client(level=level) as client:
            return client.call(*words)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL: no last words."""
        self._end(signal.SIGKILL, 60)

    def stop(self, timeout=60.0):
        """SIGTERM; returns the exit status."""
        return self._end(signal.SIGTERM, timeout)

    def pause(self):
        """SIGSTOP; it stands still when this returns: on a busy machine a thread may go on until it
        is its turn."""
        self.process.send_signal(signal.SIGSTOP)
        eventually(f"{self.name} stands still", self._stands)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def wait_exit(self, timeout=60.0):
        """Waits until the process ends by itself; returns its status."""
        status = self.process.wait(timeout)
        remove_leftovers(self.process.pid)
        self.process = None
        return status

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def resident_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"{self.name} has no resident memory")

    def members(self):
        """What this node says of the members: {name: state}."""
        return parse_members(self.call("STARLING", "MEMBERS"))

    def _stands(self):
        """Whether each of its threads has stopped. (Of one that has ended meanwhile there is no
        file any more: asked again.)"""
        states = [path.read_text().rpartition(")")[2].split()[0]
                  for path in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/stat")]
        return states and all(state == "T" for state in states)

    def _end(self, number, timeout):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.wait_exit(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.process = None
            raise AssertionError(f"{self.name} did not end within {timeout:g} s of signal {number}")


def parse_members(reply):
    """{name: state} from the answer to STARLING MEMBERS: a list of field-value lists."""
    members = {}
    for member in reply:
        fields = {bytes(key).decode(): value for key, value in zip(member[::2], member[1::2])}
        members[fields["name"].decode()] = fields["state"].decode()
    return members
