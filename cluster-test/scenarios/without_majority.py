"""What a node alone answers once it has lost the other voters, by each rule for that.

A claim needs a majority: without one it is refused by name, and nothing is changed. Everything else
goes on at each node and merges later (`--on-unreachable local`, the default), or is refused
(`refuse`). When the others are back, all is as if nothing had been.
"""

import time

from harness.lease import lease
from harness.resp import RespError
from harness.voters import seeded
from harness.waiting import eventually

PATIENCE_S = 20  # an answer is due within the 4 s that a take-over may take, and 4 s for a majority


def error_of(context, node, *words):
    """The error that a command answers, in time; fails where it answers otherwise."""
    began = time.monotonic()
    with node.client(timeout=2 * PATIENCE_S, level=None) as client:
        try:
            answer = client.call(*words)
        except RespError as error:
            took = time.monotonic() - began - context.stalls.total(began)
            assert took < PATIENCE_S, "the answer came late"
            return str(error)
    raise AssertionError(f"{words} was answered with {answer!r}")


def is_noticed(node):
    """Whether neither the node itself nor another holds a lease, as it knows: until then a command
    may have reached a leaseholder, and its outcome is unknown."""
    if lease(node)["leading"] == 1:
        return False
    try:
        node.call("SET", "probe", 1, level=None)
        return True
    except RespError as error:
        return not str(error).startswith("UNKNOWN")


def run(context):
    for rule in ("local", "refuse"):
        names = [f"{rule}{index}" for index in range(3)]
        nodes = seeded(context, names, names, cluster=rule)
        alone, *others = nodes
        for node in nodes:
            with node.client() as client:
                client.call("CONFIG", "SET", "on-unreachable", rule)

        def grants(node, key):
            return node.call("SET", key, node.name, "NX", level=None) == "OK"
        eventually("a leaseholder grants a claim", lambda: grants(alone, "held"), 30)
        assert alone.call("INCR", "visits", level=None) == 1

        for node in others:
            node.kill()
        eventually("it is noticed", lambda: is_noticed(alone))
        no_claims = ("NOQUORUM",) if rule == "local" else ("NOQUORUM", "NOLEADER")
        text = error_of(context, alone, "SET", "wanted", "1", "NX")
        assert text.startswith(no_claims), text
        for words in (("DEL", "held"), ("SET", "held", "other"), ("EXPIRE", "held", 100),
                      ("EVAL", "return redis.call('del', KEYS[1])", 1, "held")):
            text = error_of(context, alone, *words)
            assert text.startswith(("NOQUORUM", "NOLEADER")), f"{words}: {text}"
        if rule == "local":
            assert alone.call("INCR", "visits", level=None) == 2
            assert alone.call("GET", "visits", level=None) == b"2"
            assert alone.call("EXISTS", "wanted", level=None) == 0
        else:
            assert error_of(context, alone, "INCR", "visits").startswith("NOLEADER")
            assert error_of(context, alone, "GET", "visits").startswith("NOLEADER")
        assert alone.call("EXISTS", "wanted") == 0, "refused, and yet written"

        for node in others:
            node.start()
        eventually("a leaseholder grants a claim again", lambda: grants(others[0], "wanted"), 60)
        assert others[1].call("GET", "held", level=None) == alone.name.encode()
        eventually("it is refused to the others", lambda: others[1].call(
            "SET", "held", others[1].name, "NX", level=None) is None)
        visits = b"2" if rule == "local" else b"1"
        eventually("the visits are counted everywhere",
                   lambda: all(node.call("GET", "visits") == visits for node in nodes))
