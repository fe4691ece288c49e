"""A copy of a node, on another host, is refused without haste or noise while the first runs, and
takes its place once that is gone."""

import re

from harness.node import Node
from harness.waiting import eventually


def run(context):
    cluster = context.cluster(3)
    original = cluster.nodes[0]
    original.call("INCR", "visits")
    cluster.wait_same(b"1", "GET", "visits")
    backup = context.folder / "backup"
    original.call("STARLING", "BACKUP", str(backup))

    # On the same host the folder in which they meet would refuse it at the start.
    others = ",".join(node.gossip_address for node in cluster.nodes[1:])
    other_host = ["--cluster", cluster.name, "--meeting-folder", str(context.folder / "elsewhere"),
                  "--join", others]
    copy = context.adopt(
        Node(cluster.program, context.folder / "copy", original.name, other_host))
    copy.start(["--restore", str(backup)])
    eventually("the copy is refused", lambda: "node-connected" in copy.log())
    # Meanwhile the cluster works, and has time to be called by the copy.
    for number in range(2, 200):
        cluster.nodes[number % 3].call("INCR", "visits")
        cluster.wait_same(b"%d" % number, "GET", "visits")
    links = [int(link) for link in re.findall(r"link=(\d+)", copy.log())]
    assert len(links) < 100, f"{len(links)} calls"
    assert copy.log().count("refused") < 20, copy.log()[-2000:]

    original.kill()
    cluster.nodes[0] = copy
    cluster.wait_agreed()
    cluster.wait_same(b"199", "GET", "visits")
    assert copy.call("INCR", "visits") == 200
    cluster.wait_same(b"200", "GET", "visits")
