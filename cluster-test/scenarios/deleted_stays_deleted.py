"""What is deleted while a node is down does not come back with it (I8)."""

from harness.waiting import holds_for


def run(context):
    cluster = context.cluster(3)
    away, near, _ = cluster.nodes
    near.call("SET", "string", "value")
    near.call("INCRBY", "counter", 7)
    near.call("SADD", "set", "a", "b", "c")
    away.call("SET", "written on the absent node", "x")
    cluster.wait_same(1, "EXISTS", "written on the absent node")
    cluster.wait_same(3, "EXISTS", "string", "counter", "set")

    away.kill()
    near.call("DEL", "string", "counter", "written on the absent node")
    near.call("SREM", "set", "a")
    cluster.wait_same(0, "EXISTS", "string", "counter", "written on the absent node")
    away.start()
    cluster.wait_agreed()

    keys = ("string", "counter", "written on the absent node")
    cluster.wait_same(0, "EXISTS", *keys)
    holds_for("the deleted keys stay deleted on all nodes", lambda: all(
        node.call("EXISTS", *keys) == 0 for node in cluster.nodes), 3 if context.long else 1.5)
    assert cluster.wait_converged() == {b"set": [b"b", b"c"]}
