"""One, two and three nodes whose meeting folder votes: one killed, one left, one with a lost disk.

Each function is a row of the table in docs/OPERATIONS.md, "When few nodes are left".
"""

import shutil

from harness.lease import wait_known, wait_leader
from harness.waiting import eventually


def run(context):
    for case in (one_node, two_nodes_one_killed, two_nodes_one_left, two_nodes_one_disk_lost,
                 three_nodes_two_killed):
        case(context)


def begin(context, size, name):
    """A cluster, who leads it, and the others."""
    cluster = context.cluster(size, name=name)
    leader, epoch = wait_leader(cluster.nodes)
    wait_known(cluster.nodes, leader)
    return cluster, leader, [node for node in cluster.nodes if node is not leader], epoch


def take_lock(node):
    assert node.call("SET", "lock", "token", "NX", "EX", 60, level=None) == "OK"


def lock_is_held(node):
    return node.call("SET", "lock", "another", "NX", "EX", 60, level=None) is None


def one_node(context):
    cluster, node, _, epoch = begin(context, 1, "one")
    node.call("INCR", "n")
    node.kill()
    node.start()
    _, later = wait_leader([node])
    assert later > epoch
    assert node.call("GET", "n") == b"1"
    cluster.close()


def two_nodes_one_killed(context):
    cluster, leader, [other], _ = begin(context, 2, "killed")
    take_lock(leader)
    leader.kill()
    wait_leader([other], timeout=2.0)
    assert lock_is_held(other), "what a majority acknowledged the next holder has"
    cluster.close()


def two_nodes_one_left(context):
    cluster, leader, [other], _ = begin(context, 2, "left")
    leader.call("INCR", "n")
    assert leader.stop() == 0
    wait_leader([other], timeout=2.0)
    assert other.call("GET", "n") == b"1", "it was handed over"
    cluster.close()


def two_nodes_one_disk_lost(context):
    cluster, leader, [other], _ = begin(context, 2, "disk")
    leader.call("INCR", "n")
    leader.kill()
    shutil.rmtree(leader.folder)
    leader.folder.mkdir()
    wait_leader([other], timeout=2.0)
    leader.start()
    wait_known(cluster.nodes, other)
    eventually("it took the state", lambda: leader.call("GET", "n") == other.call("GET", "n"))
    other.kill()
    wait_leader([leader], timeout=4.0)
    assert leader.call("INCR", "n", level="leased") >= 1
    cluster.close()


def three_nodes_two_killed(context):
    cluster, leader, others, _ = begin(context, 3, "three")
    take_lock(leader)
    leader.kill()
    others[0].kill()
    wait_leader([others[1]], timeout=4.0)
    assert lock_is_held(others[1])
    cluster.close()
