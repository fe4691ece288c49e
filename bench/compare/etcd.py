"""A cluster of Debian's etcd on loopback, with its defaults."""

import contextlib
import json
import subprocess
import urllib.request

from harness.node import LEASH, free_port
from harness.waiting import eventually


class Member:
    """One process: where its clients and its peers connect."""

    def __init__(self, name):
        self.name, self.host = name, "127.0.0.1"
        self.port, self.peer_port = free_port(), free_port()
        self.process = None

    def status(self):
        request = urllib.request.Request(
            f"http://{self.host}:{self.port}/v3/maintenance/status", b"{}", method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def leads(self):
        """Whether it says that it leads; fails while nobody does."""
        said = self.status()
        return said["leader"] == said["header"]["member_id"]


class Etcd:
    """`size` members with their data in `folder`."""

    def __init__(self, program, folder, size):
        self._program, self._folder = program, folder
        self.nodes = [Member(f"etcd{index + 1}") for index in range(size)]

    def start(self):
        peers = ",".join(f"{node.name}=http://{node.host}:{node.peer_port}" for node in self.nodes)
        for node in self.nodes:
            clients = f"http://{node.host}:{node.port}"
            others = f"http://{node.host}:{node.peer_port}"
            with open(self._folder / f"{node.name}.log", "wb") as log:
                node.process = subprocess.Popen(
                    [*LEASH, self._program, "--name", node.name,
                     "--data-dir", str(self._folder / node.name),
                     "--listen-client-urls", clients, "--advertise-client-urls", clients,
                     "--listen-peer-urls", others, "--initial-advertise-peer-urls", others,
                     "--initial-cluster", peers],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
        self.leader()
        return self

    def leader(self):
        def found():
            with contextlib.suppress(KeyError):  # nobody leads yet
                return next((node for node in self.nodes if node.leads()), None)
        return eventually("a member of etcd leads", found, 30, 0.1)

    def close(self):
        for node in self.nodes:
            if node.process:
                node.process.kill()
                node.process.wait()
                node.process = None
