"""Everything is there after a restart: of one node, of all at once, by SIGTERM and by kill -9."""

import time


def run(context):
    cluster = context.cluster(3)
    nodes = cluster.nodes
    with nodes[0].client() as client:
        client.pipeline([("SET", f"key:{number}", f"value {number}") for number in range(2000)])
        client.call("SELECT", 3)
        client.call("SET", "in database 3", "x")
    nodes[1].call("INCRBY", "counter", 41)
    nodes[2].call("SADD", "set", "a", "b")
    began = time.monotonic()
    nodes[2].call("SET", "with time", "t", "EX", 1000)
    cluster.wait_same(2003, "DBSIZE")
    before = cluster.wait_converged()

    for end in ("kill", "stop"):
        for node in nodes:
            getattr(node, end)()
        cluster.start()
        assert cluster.wait_converged() == before, f"after {end} of all nodes"
        left = [node.call("TTL", "with time") for node in nodes]
        least = 999 - (time.monotonic() - began)
        assert all(least <= each <= 1000 for each in left), f"{left}, not {least:.0f} to 1000"
        with nodes[1].client() as client:
            client.call("SELECT", 3)
            assert client.call("GET", "in database 3") == b"x"
    assert nodes[1].call("INCR", "counter") == 42
    cluster.wait_same(b"42", "GET", "counter")
