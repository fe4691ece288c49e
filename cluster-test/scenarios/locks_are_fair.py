"""Who waits for a lock gets it in turn, whichever node was asked: nobody starves.

Contenders at every node of three, whose folder votes or who are named voters. First each asks when
the one before it is known to wait: they are served in that order. Then each asks again as soon as
it has released: all get the lock equally often. Who waits at a node that is killed does not keep
others waiting.
"""

import collections
import itertools
import threading
import time

from harness.lease import blocked, wait_known, wait_leader
from harness.waiting import eventually

CONTENDERS = 6
TTL, WAIT = 60_000, 60_000  # milliseconds: nothing lapses


class Contender(threading.Thread):
    """Takes the lock so often, and notes its turn. Releases it in the moment in which it asks
    again: in one write."""

    def __init__(self, node, number, turns, enough):
        super().__init__(daemon=True)
        self.client = node.client(timeout=60, level=None)
        self.number, self.turns, self.enough = number, turns, enough
        self.failure = None

    def run(self):
        try:
            while self._take():
                pass
        except Exception as reason:  # told to whoever joins it
            self.failure = reason
        finally:
            self.client.close()

    def _take(self):
        token = f"{self.number}:{len(self.turns)}"
        commands = [("STARLING", "ACQUIRE", token, TTL, WAIT, "lock")]
        while True:
            granted = self.client.pipeline(commands)[-1]
            assert granted and granted[0] == b"lock", granted
            self.turns.append((int(granted[1]), self.number))
            if self.enough():
                assert self.client.call("STARLING", "RELEASE", "lock", token) == 1
                return False
            released, token = token, f"{self.number}:{len(self.turns)}"
            commands = [("STARLING", "RELEASE", "lock", released),
                        ("STARLING", "ACQUIRE", token, TTL, WAIT, "lock")]


def finish(contenders):
    for contender in contenders:
        contender.join(60)
        if contender.failure:
            raise contender.failure
        assert not contender.is_alive(), f"{contender.number} starves"


def in_order(cluster, leader):
    """One after the other asks, each at the next node, while somebody holds the lock."""
    turns = []
    with leader.client(level=None) as holder:
        assert holder.call("STARLING", "ACQUIRE", "first", TTL, 0, "lock")
        contenders = []
        for number, node in zip(range(CONTENDERS), itertools.cycle(cluster.nodes)):
            contenders.append(Contender(node, number, turns, lambda: True))
            contenders[-1].start()
            eventually(f"{number + 1} wait", lambda: blocked(leader) == len(contenders))
        assert holder.call("STARLING", "RELEASE", "lock", "first") == 1
        finish(contenders)
    assert [number for _, number in sorted(turns)] == list(range(CONTENDERS)), sorted(turns)


def without_the_dead(context, cluster, leader):
    """A node is killed at which some wait; the one that waits behind them is next."""
    dead, living = [node for node in cluster.nodes if node is not leader]
    turns = []
    with leader.client(level=None) as holder:
        assert holder.call("STARLING", "ACQUIRE", "first", TTL, 0, "lock")
        contenders = []
        for number, node in enumerate((dead, dead, living)):
            contenders.append(Contender(node, number, turns, lambda: True))
            contenders[-1].start()
            eventually(f"{number + 1} wait", lambda: blocked(leader) == len(contenders))
        dead.kill()
        eventually("the dead wait no longer", lambda: blocked(leader) == 1)
        began = time.monotonic()
        assert holder.call("STARLING", "RELEASE", "lock", "first") == 1
        finish(contenders[2:])
        context.report("the next one's turn", f"{(time.monotonic() - began) * 1000:.0f} ms")
    assert [number for _, number in turns] == [2]
    dead.start()


def equally_often(context, cluster, seconds):
    turns = []
    end = time.monotonic() + seconds
    contenders = [Contender(node, number, turns, lambda: time.monotonic() > end)
                  for number, node in zip(range(CONTENDERS), itertools.cycle(cluster.nodes))]
    for contender in contenders:
        contender.start()
    finish(contenders)
    assert [fence for fence, _ in turns] == sorted(fence for fence, _ in turns)
    counts = collections.Counter(number for _, number in turns)
    context.report("turns of each", sorted(counts.values()))
    for contender in contenders:
        assert counts[contender.number] >= len(turns) / CONTENDERS / 2, counts


def run(context):
    for kind in ("folder", "named"):
        cluster = context.cluster(3, name=kind, seeds=kind == "named")
        leader, _ = wait_leader(cluster.nodes)
        wait_known(cluster.nodes, leader)
        in_order(cluster, leader)
        without_the_dead(context, cluster, leader)
        cluster.wait_agreed()
        equally_often(context, cluster, 10 if context.long else 2)
        cluster.close()
