"""A leaseholder that stands still (SIGSTOP) with commands: each is answered in time, and by name.

A forwarded write is answered UNKNOWN when `--leaseholder-timeout` is over, a script, which may take
longer than that, as soon as another leads; a read goes on to the next leaseholder. Nothing is run
twice (I13).
"""

import threading
import time

from harness.lease import LEASE_S, under_one_lease, wait_known, wait_leader, wait_renewed
from harness.resp import RespError
from harness.waiting import eventually

TIMEOUT_S = 0.3  # less than is left of a lease that was just renewed
SLACK_S = 2.5    # the machine's, while it runs


class Asked(threading.Thread):
    """A command of a client of `node`'s, and how long its answer took."""

    def __init__(self, context, node, *words):
        super().__init__()
        self.context, self.node, self.words = context, node, words
        self.start()

    def run(self):
        with self.node.client(timeout=80, level=None) as client:
            began = time.monotonic()
            try:
                self.answer = client.call(*self.words)
            except RespError as error:
                self.answer = str(error)
            self.took = time.monotonic() - began - self.context.stalls.total(began)

    def end(self, within):
        self.join(90)
        assert not self.is_alive(), f"{self.words} was not answered"
        assert self.took < within, f"{self.words} was answered after {self.took:.1f} s"
        return self.answer


def run(context):
    under_one_lease(context, lambda number: stopped(context, f"turn-{number}"))


def stopped(context, name):
    cluster = context.cluster(3, ["--leaseholder-timeout", f"{round(TIMEOUT_S * 1000)}ms"], name)
    leader, _ = wait_leader(cluster.nodes, timeout=30)
    wait_known(cluster.nodes, leader)
    one, other = (node for node in cluster.nodes if node is not leader)
    assert one.call("SET", "k", "v", level=None) == "OK"
    eventually("all hold it", lambda: other.call("GET", "k") == b"v")

    wait_renewed(leader)
    leader.pause()
    writes = [Asked(context, node, "INCR", f"n:{node.name}") for node in (one, other)]
    reads = [Asked(context, node, "GET", "k") for node in (one, other)]
    script = Asked(context, one, "EVAL", "return redis.call('INCR', KEYS[1])", 1, "s")
    late = "UNKNOWN The leaseholder has not answered in time"
    for write in writes:
        assert str(write.end(TIMEOUT_S + SLACK_S)).startswith(late), write.answer
    for read in reads:
        assert read.end(LEASE_S + TIMEOUT_S + SLACK_S) == b"v", read.answer
    wait_leader([one, other])
    lost = "UNKNOWN The leaseholder was lost"
    assert str(script.end(LEASE_S + TIMEOUT_S + SLACK_S)).startswith(lost), script.answer
    context.report("a write, a read, a script took",
                   ", ".join(f"{each.took:.1f} s" for each in (writes[0], reads[0], script)))

    leader.resume()
    for node in (one, other):
        key = f"n:{node.name}"
        assert eventually("it counts", lambda: count(node, key), 30) in (1, 2)
    assert eventually("it counts", lambda: count(one, "s"), 30) in (1, 2)
    cluster.wait_converged()
    cluster.close()


def count(node, key):
    """One increment more, where the answer is no error: then the value, else None."""
    try:
        return node.call("INCR", key, level=None)
    except RespError:
        return None
