"""The disk of the meeting folder, which votes, is full: claims are answered in time, and by name.

Who wrote one does not know whether it takes effect (UNKNOWN), who met it has changed nothing
(NOQUORUM); all else goes on. With room again what was written is decided, each lock for the one who
wrote it, and claims are granted as before (I3, I13).
"""

import subprocess
import threading
import time

from harness.disk import Disk
from harness.lease import under_one_lease, wait_known, wait_leader
from harness.resp import RespError
from harness.waiting import eventually

NEEDS_NETWORK = True  # for mounts of its own
DISK = 16 << 20
BOUND_S = 8  # 4 s for a majority; the rest is the machine's, while it runs
LARGE = "x" * (1 << 16)  # more than the last page of a file has room for


class Claimer(threading.Thread):
    """A client of `node` that claims `key` by a value of its own, and goes on after the answer."""

    def __init__(self, context, node, key, value):
        super().__init__()
        self.context, self.node, self.key, self.value = context, node, key, value
        self.start()

    def run(self):
        with self.node.client(timeout=60, level=None) as client:
            began = time.monotonic()
            try:
                self.answer = client.call("SETNX", self.key, self.value)
            except RespError as error:
                self.answer = str(error)
            self.took = time.monotonic() - began - self.context.stalls.total(began)
            self.pong = client.call("PING")


def run(context):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)  # of the private namespace
    # A lease that lapses cannot be taken again before there is room.
    under_one_lease(context, lambda number: fill(context, f"turn-{number}"))


def fill(context, name):
    cluster = context.cluster(3, name=name, start=False)
    disk = Disk(context, cluster.meeting.name, DISK)
    cluster.start()
    leader, _ = wait_leader(cluster.nodes, timeout=30)
    wait_known(cluster.nodes, leader)
    eventually("claims are granted",
               lambda: leader.call("SETNX", "before", "held", level=None) in (0, 1), 30)

    disk.fill()
    firsts = [Claimer(context, node, f"lock:{node.name}", node.name + LARGE)
              for node in cluster.nodes]
    time.sleep(0.5)  # so that these come second
    seconds = [Claimer(context, node, f"lock:{other.name}", "second")
               for node, other in zip(cluster.nodes, cluster.nodes[1:] + cluster.nodes[:1])]
    for node in cluster.nodes:
        assert isinstance(node.call("INCR", "visits", level=None), int), "all else goes on"
    for claimer in firsts + seconds:
        claimer.join(60)
        assert not claimer.is_alive(), f"SETNX at {claimer.node.name} was not answered"
        assert claimer.took < BOUND_S, f"SETNX was answered after {claimer.took:.1f} s"
        assert claimer.pong == "PONG"
    for claimer in firsts:
        assert str(claimer.answer).startswith("UNKNOWN No majority"), claimer.answer
    for claimer in seconds:
        assert str(claimer.answer).startswith("NOQUORUM No majority"), claimer.answer
    context.report("answers after", f"{max(each.took for each in firsts + seconds):.1f} s")
    assert leader.call("GET", "before", level=None) == b"held"

    disk.make_room()

    def granted():
        try:
            return leader.call("SET", "after", "x", "NX", level=None) == "OK"
        except RespError:
            return False
    eventually("claims are granted again", granted, 30)
    for node in cluster.nodes:
        key, value = f"lock:{node.name}", (node.name + LARGE).encode()
        answers = [each.call("GET", key, level=None) for each in cluster.nodes]
        assert answers == [value] * 3, f"{key} is held otherwise than its writer was told"
        assert node.call("SETNX", key, "third", level=None) == 0
    assert leader.call("GET", "visits", level=None) == b"3"
