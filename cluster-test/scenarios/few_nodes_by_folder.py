"""One, two and three nodes whose meeting folder votes: one killed, one left, one with a lost disk.

Each function is a row of the table in docs/OPERATIONS.md, "When few nodes are left": first the
leaseholder stays and another fails, then the leaseholder does. A lock that was taken before is held
after it, and `visits`, which all of them had seen, is counted on.
"""

import shutil

from harness.lease import goes_on, lease, taken_after, wait_known, wait_leader
from harness.voters import refused
from harness.waiting import eventually


def run(context):
    for case in (one_node, two_nodes_one_killed, two_nodes_one_left, two_nodes_one_disk_lost,
                 one_killed_one_new, three_nodes_two_killed):
        case(context)


def begin(context, size, name):
    """A cluster, who leads it, the others, and the epoch."""
    cluster = context.cluster(size, name=name)
    leader, epoch = wait_leader(cluster.nodes)
    wait_known(cluster.nodes, leader)
    return cluster, leader, [node for node in cluster.nodes if node is not leader], epoch


def take_lock(node, key="lock"):
    assert node.call("SET", key, "token", "NX", "EX", 60, level=None) == "OK"


def lock_is_held(node, key="lock"):
    return node.call("SET", key, "another", "NX", "EX", 60, level=None) is None


def takes_over_at_once(heir, epoch):
    """Without waiting until the lease lapses; returns the new epoch."""
    _, later = wait_leader([heir])
    assert later > epoch
    after = taken_after(heir, later)
    assert after in ("death", "resignation"), f"{heir.name} took the lease after its {after}"
    return later


def one_node(context):
    cluster, node, _, epoch = begin(context, 1, "one")
    take_lock(node)
    assert node.call("INCR", "visits", level=None) == 1
    node.kill()
    node.start()
    takes_over_at_once(node, epoch)
    assert lock_is_held(node)
    assert node.call("INCR", "visits", level=None) == 2
    cluster.close()


def two_nodes_one_killed(context):
    cluster, leader, [other], epoch = begin(context, 2, "killed")
    other.kill()
    take_lock(leader)
    assert goes_on(context, leader, epoch)
    other.start()
    wait_known(cluster.nodes, leader)
    assert lock_is_held(other)

    leader.kill()
    takes_over_at_once(other, epoch)
    assert lock_is_held(other), "what a majority acknowledged the next holder has"
    take_lock(other, "second")
    cluster.close()


def two_nodes_one_left(context):
    cluster, leader, [other], epoch = begin(context, 2, "left")
    other.call("INCR", "by-other")
    assert other.stop() == 0
    assert leader.call("GET", "by-other") == b"1", "it was handed over"
    take_lock(leader)
    assert goes_on(context, leader, epoch)
    other.start()
    wait_known(cluster.nodes, leader)

    leader.call("INCR", "by-leader")
    assert leader.stop() == 0
    takes_over_at_once(other, epoch)
    assert other.call("GET", "by-leader") == b"1", "it was handed over"
    assert lock_is_held(other)
    cluster.close()


def two_nodes_one_disk_lost(context):
    cluster, leader, [other], epoch = begin(context, 2, "disk")
    take_lock(leader)
    assert leader.call("INCR", "visits", level=None) == 1
    lose_disk(other)
    other.start()
    wait_state(other, b"1")
    assert goes_on(context, leader, epoch)
    assert other.call("INCR", "visits", level=None) == 2

    wait_state(other, b"2")
    lose_disk(leader)
    epoch = takes_over_at_once(other, epoch)
    leader.start()
    wait_known(cluster.nodes, other)
    wait_state(leader, b"2")
    assert lock_is_held(leader)

    other.kill()
    takes_over_at_once(leader, epoch)
    assert leader.call("INCR", "visits", level=None) == 3
    assert lock_is_held(leader)
    cluster.close()


def lose_disk(node):
    node.kill()
    shutil.rmtree(node.folder)
    node.folder.mkdir()


def wait_state(node, visits):
    eventually(f"{node.name} has taken the state", lambda: node.call("GET", "visits") == visits)


def one_killed_one_new(context):
    cluster, old, _, _ = begin(context, 1, "new")
    take_lock(old)
    assert old.call("INCR", "visits", level=None) == 1
    old.kill()
    new = cluster.make_node("new")
    context.adopt(new).start()
    assert lease(new)["mode"] == b"none", "nobody can bring it the state"
    assert refused(new, "SET", "lock", "another", "NX", level=None).startswith("NOQUORUM")
    assert new.call("INCR", "visits", level=None) == 1, "it goes on by itself"
    eventually("it says what it waits for", lambda: "event=in_no_cluster" in new.log())
    old.start()
    cluster.nodes.append(new)
    leader, _ = wait_leader(cluster.nodes)
    wait_known(cluster.nodes, leader)
    for node in cluster.nodes:
        eventually("both have counted", lambda: node.call("GET", "visits") == b"2")
        assert lock_is_held(node)
    cluster.close()


def three_nodes_two_killed(context):
    cluster, leader, others, epoch = begin(context, 3, "three")
    for node in others:
        node.kill()
    take_lock(leader)
    assert goes_on(context, leader, epoch)
    for node in others:
        node.start()
    wait_known(cluster.nodes, leader)

    others[0].kill()
    leader.kill()
    takes_over_at_once(others[1], epoch)
    assert lock_is_held(others[1])
    take_lock(others[1], "second")
    cluster.close()
