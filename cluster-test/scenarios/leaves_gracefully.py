"""SIGTERM: the node hands over what it has, tells the others that it leaves, and ends with 0.

The others list it as left, not as dead. Started again it is back with all data.
"""

from harness.waiting import eventually


def run(context):
    cluster = context.cluster(3)
    leaver, *others = cluster.nodes
    with leaver.client() as client:
        client.pipeline([("INCR", "last words")] * 500)
    assert leaver.stop() == 0, "SIGTERM did not end with status 0"
    cluster.wait_same(b"500", "GET", "last words")
    eventually("the others say that it left", lambda: all(
        node.members()[leaver.name] == "left" for node in others))
    others[0].call("INCR", "last words")
    leaver.start()
    cluster.wait_same(b"501", "GET", "last words")
    cluster.wait_agreed()
