"""A script that runs for long stops no cluster: its node stays a member and keeps the lease.

It runs for longer than a lease lasts and than members wait for each other. Clients of every node
read BUSY once it has run for busy-reply-threshold, and any of them may end it (Redis 7). One that
has written is ended by the end of its node alone, and leaves nothing behind (I13).
"""

import threading
import time

from harness.lease import lease, under_one_lease, wait_leader
from harness.resp import RespError
from harness.waiting import eventually

BUSY = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
THRESHOLD_MS = 300
ENDLESS = "while true do end"


def error_of(node, *words):
    """The error that a command answers at the leaseholder; None: it answers otherwise."""
    try:
        node.call(*words, level=None)
        return None
    except RespError as error:
        return str(error)


class Script:
    """A script that a client of `node` has run, on a thread of its own."""

    def __init__(self, node, text):
        self.node, self.text, self.reply = node, text, None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            with self.node.client(timeout=120, level=None) as client:
                self.reply = client.call("EVAL", self.text, 0)
        except (RespError, OSError) as error:
            self.reply = error

    def end(self, timeout=60):
        self.thread.join(timeout)
        assert not self.thread.is_alive(), "the script's client got no answer"
        return self.reply


def run(context):
    under_one_lease(context, lambda number: begun(context, f"turn-{number}"))


def begun(context, name):
    cluster = context.cluster(3, ["--busy-reply-threshold", str(THRESHOLD_MS)], name)
    try:
        runs_for_long(context, cluster)
    finally:
        cluster.close()  # its script ends with it


def runs_for_long(context, cluster):
    leader, epoch = wait_leader(cluster.nodes)
    others = [node for node in cluster.nodes if node is not leader]
    assert others[0].call("SET", "before", "1", level=None) == "OK"
    cluster.wait_same(b"1", "GET", "before")

    seconds = 20 if context.long else 6  # several leases
    script = Script(others[0], ENDLESS)
    eventually("others read BUSY", lambda: error_of(others[1], "GET", "before") == BUSY)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for node in cluster.nodes:
            assert error_of(node, "INCR", "n") == BUSY, node.name
            assert error_of(node, "EVAL", "return 1", 0) == BUSY, node.name
        for node in others:  # what is no business of the leaseholder's goes on
            assert node.call("PING") == "PONG"
            assert node.call("GET", "before") == b"1"
            assert set(node.members().values()) == {"alive"}, node.members()
            assert lease(node)["epoch"] == epoch, "the lease has moved"
        time.sleep(0.05)
    assert others[1].call("SCRIPT", "KILL", level=None) == "OK"
    assert "Script killed by user with SCRIPT KILL" in str(script.end())
    assert cluster.nodes[2].call("INCR", "n", level=None) == 1
    assert error_of(others[0], "SCRIPT", "KILL").startswith("NOTBUSY")
    for node in cluster.nodes:
        log = node.log()
        assert "member suspected" not in log and "member down" not in log, node.name
        assert lease(node)["epoch"] == epoch

    # As long as it likes, where nobody ends it.
    took = time.monotonic()
    counted = Script(others[1], "for i = 1, 1e8 do end return redis.call('incr', 'n')")
    assert counted.end() == 2
    context.report("a script's seconds", round(time.monotonic() - took, 2))

    # One that has written ends with its node, and then all goes on elsewhere without it.
    writing = Script(others[0], "redis.call('set', 'before', '2') " + ENDLESS)
    eventually("others read BUSY", lambda: error_of(others[1], "GET", "before") == BUSY)
    assert error_of(others[1], "SCRIPT", "KILL").startswith("UNKILLABLE")
    status = leader.stop()
    assert status == 0, f"{leader.name} ended with {status}"
    writing.end()
    eventually("another node leads", lambda: error_of(others[0], "GET", "before") is None)
    assert others[1].call("GET", "before", level=None) == b"1", "half a script is left"
    leader.start()
    cluster.wait_converged()
    assert leader.call("GET", "before") == b"1"
