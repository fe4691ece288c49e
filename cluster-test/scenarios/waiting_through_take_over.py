"""What clients of the others were about to do when the leaseholder is killed.

Who watches a key under one lease cannot commit under the next: EXEC answers nil. Who waits with any
of the blocking commands waits on, at the next leaseholder, and is served there, once (DESIGN 6).
"""

import threading

from harness.lease import blocked, wait_leader
from harness.resp import Disconnected, RespError
from harness.waiting import eventually

# Of each: the request, what is pushed for it, and what it answers.
BLOCKING = {
    "blpop": (("BLPOP", "blpop", 0), ("RPUSH", "blpop", "x"), [b"blpop", b"x"]),
    "brpop": (("BRPOP", "brpop", 0), ("RPUSH", "brpop", "x"), [b"brpop", b"x"]),
    "blmove": (("BLMOVE", "blmove", "to", "LEFT", "RIGHT", 0), ("RPUSH", "blmove", "x"), b"x"),
    "brpoplpush": (("BRPOPLPUSH", "brpoplpush", "to", 0), ("RPUSH", "brpoplpush", "x"), b"x"),
    "blmpop": (("BLMPOP", 0, 1, "blmpop", "LEFT"), ("RPUSH", "blmpop", "x"),
               [b"blmpop", [b"x"]]),
    "bzpopmin": (("BZPOPMIN", "bzpopmin", 0), ("ZADD", "bzpopmin", 1, "x"),
                 [b"bzpopmin", b"x", b"1"]),
    "bzpopmax": (("BZPOPMAX", "bzpopmax", 0), ("ZADD", "bzpopmax", 1, "x"),
                 [b"bzpopmax", b"x", b"1"]),
    "bzmpop": (("BZMPOP", 0, 1, "bzmpop", "MIN"), ("ZADD", "bzmpop", 1, "x"),
               [b"bzmpop", [[b"x", b"1"]]]),
}


class Waiter(threading.Thread):
    """A client that waits; what it was answered."""

    def __init__(self, node, request):
        super().__init__(daemon=True)
        self.client, self.request, self.answer = node.client(timeout=60, level=None), request, None

    def run(self):
        try:
            self.answer = self.client.call(*self.request)
        except (RespError, Disconnected) as error:
            self.answer = error


def run(context):
    cluster = context.cluster(3, ["--on-unreachable", "refuse"])
    leader, _ = wait_leader(cluster.nodes, timeout=30)
    others = [node for node in cluster.nodes if node is not leader]
    assert others[0].call("SET", "balance", 1, level=None) == "OK"

    with others[0].client(level=None) as watching, others[1].client(level=None) as queued:
        for client in (watching, queued):
            assert client.call("WATCH", "balance") == "OK"
        queued.pipeline([("MULTI",), ("SET", "balance", 3)])
        waiters = {name: [Waiter(node, request) for node in others]
                   for name, (request, _, _) in BLOCKING.items()}
        for pair in waiters.values():
            for waiter in pair:
                waiter.start()
        eventually("all of them wait", lambda: blocked(leader) == 2 * len(BLOCKING))

        leader.kill()
        heir, _ = wait_leader(others, timeout=30)
        eventually("the next leaseholder serves",
                   lambda: others[0].call("GET", "balance", level=None) == b"1")
        replies = watching.pipeline([("MULTI",), ("SET", "balance", 2), ("EXEC",)])
        assert replies == ["OK", "QUEUED", None], replies
        assert queued.call("EXEC") is None
        assert others[1].call("GET", "balance", level=None) == b"1"
        watching.call("WATCH", "balance")
        replies = watching.pipeline([("MULTI",), ("SET", "balance", 2), ("EXEC",)])
        assert replies == ["OK", "QUEUED", ["OK"]], replies

    eventually("they wait at the next one", lambda: blocked(heir) == 2 * len(BLOCKING))
    for name, (_, push, expected) in BLOCKING.items():
        served = []
        for _ in waiters[name]:
            others[len(served)].call(*push, level=None)
            eventually(f"somebody who waits by {name} is served", lambda: len(
                [waiter for waiter in waiters[name] if waiter.answer is not None]) > len(served))
            served = [waiter for waiter in waiters[name] if waiter.answer is not None]
        for waiter in waiters[name]:
            assert waiter.answer == expected, f"{name}: {waiter.answer!r}"
        assert others[0].call("EXISTS", name, level=None) == 0, f"{name}: something is left"
    assert others[0].call("LLEN", "to", level=None) == 4  # of BLMOVE and BRPOPLPUSH
    assert blocked(heir) == 0
