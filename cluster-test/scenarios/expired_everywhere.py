"""A key whose time has passed is gone on every node, and from a node that was down meanwhile (I8).

After its time a new increment begins at one, whichever node gets it.
"""

from harness.waiting import eventually


def run(context):
    cluster = context.cluster(3)
    one, two, three = cluster.nodes
    one.call("SET", "session", "token", "PX", 1500)
    two.call("INCR", "window")
    two.call("PEXPIRE", "window", 1500)
    cluster.wait_same(2, "EXISTS", "session", "window")
    three.kill()
    cluster.wait_same(0, "EXISTS", "session", "window")
    three.start()
    cluster.wait_same(0, "EXISTS", "session", "window")
    eventually("expired keys are deleted, not only hidden",
               lambda: all(node.call("DBSIZE") == 0 for node in cluster.nodes), 60)
    assert three.call("INCR", "window") == 1
    cluster.wait_same(b"1", "GET", "window")
    cluster.wait_same(-1, "TTL", "window")
