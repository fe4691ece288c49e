"""Several nodes of one cluster, and what scenarios ask of all of them at once."""

import contextlib
import os
import pathlib
import tempfile

from harness.node import Node
from harness.waiting import TimedOut, eventually


class Cluster:
    """Nodes of this host that find each other through a meeting folder of their own; with `seeds`
    by a list of addresses.

    The meeting folder is in memory where that can be had, as a user's own is: a disk that is busy
    with what else the machine does may hold a lease's renewal up for longer than the lease lasts.
    """

    def __init__(self, program, folder, size, options=(), name="test", seeds=False):
        self.program = program
        self.folder = pathlib.Path(folder)
        self.name = name
        self.folder.mkdir(parents=True, exist_ok=True)
        in_memory = "/dev/shm" if os.path.isdir("/dev/shm") else self.folder
        self.meeting = tempfile.TemporaryDirectory(dir=in_memory)
        self.options = ["--cluster", name, *options]
        if not seeds:
            self.options += ["--meeting-folder", f"{self.meeting.name}/meeting"]
        self.nodes = [self.make_node(f"n{index + 1}") for index in range(size)]
        if seeds:
            self.options += ["--join", ",".join(node.gossip_address for node in self.nodes)]
            for node in self.nodes:
                node.options += self.options[-2:]

    def make_node(self, name, options=()):
        return Node(self.program, self.folder / name, name, [*self.options, *options])

    def start(self):
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait_ready()
        self.wait_agreed()
        return self

    def running(self):
        return [node for node in self.nodes if node.running()]

    def wait_agreed(self, timeout=60.0):
        """Until every running node is in one cluster and sees exactly the running ones alive."""
        expected = {node.name for node in self.running()}

        def agreed():
            # Who is alive is known a moment before the other's state is taken.
            ids = {cluster_id(node) for node in self.running()}
            return (len(ids) <= 1 and b"none" not in ids and
                    all(expected == alive(node) for node in self.running()))
        eventually(f"all of {sorted(expected)} see each other alive", agreed, timeout)

    def wait_same(self, value, *words, timeout=60.0):
        """Until every running node answers `words` with `value`."""
        def same():
            answers = [node.call(*words) for node in self.running()]
            return all(answer == value for answer in answers)
        eventually(f"{' '.join(map(str, words))} is {value!r} everywhere", same, timeout)

    def wait_converged(self, timeout=60.0):
        """Until every running node shows the same keys with the same values; returns them (I1)."""
        states = []

        def same():
            states[:] = [visible_state(node) for node in self.running()]
            return all(state == states[0] for state in states)
        try:
            eventually("the same visible state everywhere", same, timeout)
        except TimedOut as reason:
            raise TimedOut(f"{reason}; {differences(states)}") from None
        return states[0]

    def close(self):
        for node in self.nodes:
            with contextlib.suppress(AssertionError):
                node.kill()
        self.meeting.cleanup()


def alive(node):
    """Names of the members that `node` holds to be alive."""
    return {name for name, state in node.members().items() if state == "alive"}


def cluster_id(node):
    """The cluster that `node` is in; b"none" as long as it is in none."""
    lines = node.call("INFO", "starling").split(b"\r\n")
    return next(line.partition(b":")[2] for line in lines if line.startswith(b"cluster_id:"))


def differences(states, most=10):
    """The keys whose values differ, with the value of each state."""
    keys = sorted(set().union(*states))
    values = {key: [state.get(key) for state in states] for key in keys}
    differ = [f"{key}: {each}" for key, each in values.items() if each.count(each[0]) < len(each)]
    return f"{len(differ)} keys differ: " + "; ".join(differ[:most])


def visible_state(node, database=0):
    """Every key of a database with its type and value, as a client sees it."""
    state = {}
    with node.client() as client:
        client.call("SELECT", database)
        cursor = b"0"
        keys = set()
        while True:
            cursor, found = client.call("SCAN", cursor, "COUNT", 1000)
            keys.update(found)
            if cursor == b"0":
                break
        for key in sorted(keys):
            kind = client.call("TYPE", key)
            if kind == "string":
                state[key] = client.call("GET", key)
            elif kind == "set":
                state[key] = sorted(client.call("SMEMBERS", key))
    return state
