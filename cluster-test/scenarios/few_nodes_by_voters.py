"""One, two and three nodes with named voters: one killed, one left, one with a lost disk.

Each function is a row of the table in docs/OPERATIONS.md, "When few nodes are left": first a node
that may be missed fails, then one that may not. A lock that was taken before is held after it,
where the table does not say that it is lost.
"""

import concurrent.futures
import shutil
import time

from harness.lease import LEASE_S, goes_on, leaders, lease, taken_after, wait_known, wait_leader
from harness.voters import refused, seeded, wait_voters
from harness.waiting import eventually, holds_for


AT_ONCE = 3  # cases: most of their time they wait for leases to lapse


def run(context):
    cases = (one_node, two_nodes_one_killed, two_nodes_one_left, two_nodes_one_disk_lost,
             three_nodes_one_disk_lost, three_nodes_two_disks_lost, three_nodes_two_killed)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for running in [pool.submit(case, context) for case in cases]:
            running.result()


def begin(context, names, voters):
    """Started nodes, all of which know who leads."""
    nodes = seeded(context, names, voters, cluster=names[0])
    leader, epoch = wait_leader(nodes)
    wait_known(nodes, leader)
    return nodes, leader, epoch


def take_lock(node, key="lock"):
    assert node.call("SET", key, "token", "NX", "EX", 60, level=None) == "OK"


def lock_is_held(node, key="lock"):
    return node.call("SET", key, "another", "NX", "EX", 60, level=None) is None


def nobody_leads(nodes):
    return not leaders(nodes) and all(lease(node)["holder"] is None for node in nodes)


def only_local_goes_on(node):
    """Nobody leads: `local` writes and reads are served."""
    eventually("nobody leads", lambda: nobody_leads([node]))
    assert node.call("INCR", f"local:{node.name}") == 1
    assert node.call("GET", f"local:{node.name}") == b"1"


def lose_disk(node):
    node.kill()
    shutil.rmtree(node.folder)
    node.folder.mkdir()


def end(nodes):
    for node in nodes:
        node.kill()


def one_node(context):
    nodes, node, epoch = begin(context, ["one1"], ["one1"])
    take_lock(node)
    assert node.call("INCR", "visits", level=None) == 1
    node.kill()
    began = time.monotonic()
    node.start()
    _, later = wait_leader(nodes)
    assert later > epoch
    assert time.monotonic() > began + LEASE_S, "a voter that was restarted waits for one lease"
    assert taken_after(node, later) == "lapse"
    assert lock_is_held(node)
    assert node.call("INCR", "visits", level=None) == 2
    end(nodes)


def two_nodes_one_killed(context):
    nodes, voter, epoch = begin(context, ["ka", "kb"], ["ka"])
    other = nodes[1]
    other.kill()
    take_lock(voter)
    assert voter.call("INCR", "visits", level=None) == 1, "without the other all goes on"
    assert goes_on(context, voter, epoch)
    other.start()
    wait_known(nodes, voter)
    assert lock_is_held(other)

    eventually("the other has it", lambda: other.call("GET", "visits") == b"1")
    voter.kill()
    only_local_goes_on(other)
    assert other.call("GET", "visits") == b"1"
    assert refused(other, "SET", "lock", "another", "NX", level=None).startswith("NOQUORUM")
    voter.start()
    wait_known(nodes, voter)
    assert lock_is_held(other)
    eventually("what was written meanwhile is there", lambda: voter.call("GET", "local:kb") == b"1")
    end(nodes)


def two_nodes_one_left(context):
    nodes, voter, epoch = begin(context, ["la", "lb"], ["la"])
    other = nodes[1]
    other.call("INCR", "by-other")
    assert other.stop() == 0
    assert voter.call("GET", "by-other") == b"1", "it was handed over"
    take_lock(voter)
    assert goes_on(context, voter, epoch)
    other.start()
    wait_known(nodes, voter)
    # The only voter leaves: its vote is not handed on, the operator does that before, or by force.
    voter.call("INCR", "by-voter")
    assert voter.stop() == 0
    only_local_goes_on(other)
    assert other.call("GET", "by-voter") == b"1", "it was handed over"
    other.call("STARLING", "VOTERS", "FORCE", "lb")
    wait_leader([other])
    assert lock_is_held(other), "it was handed over too"
    voter.start()
    wait_known(nodes, other)
    other.call("STARLING", "VOTERS", "REPLACE", "lb", "la")
    wait_voters(nodes, ["la"])
    wait_known(nodes, voter)
    other.stop()
    take_lock(voter, "second")
    end(nodes)


def two_nodes_one_disk_lost(context):
    nodes, voter, epoch = begin(context, ["da", "db"], ["da"])
    other = nodes[1]
    assert voter.call("INCR", "visits", level=None) == 1
    take_lock(voter)
    lose_disk(other)
    other.start()
    eventually("it has taken the state", lambda: other.call("GET", "visits") == b"1")
    assert goes_on(context, voter, epoch)

    for _ in range(2):
        voter.kill()
        voter.start()
        _, epoch = wait_leader(nodes)
    wait_known(nodes, voter)
    other.kill()
    take_lock(voter, "known to the voter alone")
    assert voter.call("INCR", "visits", level=None) == 2
    lose_disk(voter)
    other.start()
    assert "event=voter_resumes" not in voter.log()
    voter.start()
    leader, later = wait_leader(nodes)
    assert leader is voter and later > epoch, f"epoch {later} after {epoch}"
    wait_known(nodes, voter)
    assert "event=voter_resumes" in voter.log()
    assert "what a majority acknowledged last may be gone" in voter.log()
    assert voter.call("GET", "visits") == b"1", "it took the state from the other first"
    assert lock_is_held(other)
    take_lock(other, "known to the voter alone")  # it is lost
    end(nodes)


def three_nodes_one_disk_lost(context):
    names = ["va", "vb", "vc"]
    nodes, lost, epoch = begin(context, names, names)
    second, third = [node for node in nodes if node is not lost]
    take_lock(lost)
    third.kill()
    lose_disk(lost)
    lost.start()
    running = [lost, second]
    eventually("it asks what it had promised", lambda: "event=voter_recovers" in lost.log())
    eventually("nobody leads", lambda: nobody_leads(running))
    holds_for("one of the two others cannot tell it", lambda: not leaders(running), 2 * LEASE_S)
    assert "event=voter_recovered" not in lost.log()
    third.start()
    leader, later = wait_leader(nodes)
    assert later > epoch
    eventually("they have told it", lambda: "event=voter_recovered" in lost.log())
    assert "event=voter_resumes" not in lost.log(), "nothing is lost"
    wait_known(nodes, leader)
    assert lock_is_held(lost)
    end(nodes)


def three_nodes_two_disks_lost(context):
    names = ["wa", "wb", "wc"]
    nodes, leader, _ = begin(context, names, names)
    lost = [node for node in nodes if node is not leader]
    take_lock(leader)
    for node in lost:
        lose_disk(node)
    for node in lost:
        node.start()
    eventually("nobody leads", lambda: nobody_leads(nodes))
    holds_for("one alone cannot tell them", lambda: not leaders(nodes), 2 * LEASE_S)
    for node in lost:
        assert "event=voter_recovered" not in node.log()
        assert "event=voter_resumes" not in node.log(), "the third may know more"
    leader.call("STARLING", "VOTERS", "FORCE", leader.name)
    wait_leader([leader])
    wait_known(nodes, leader)
    assert lock_is_held(lost[0])
    leader.call("STARLING", "VOTERS", "SET", *names)
    wait_voters(nodes, names)
    assert lock_is_held(lost[1])
    end(nodes)


def three_nodes_two_killed(context):
    names = ["ta", "tb", "tc"]
    nodes, leader, epoch = begin(context, names, names)
    one, two = [node for node in nodes if node is not leader]
    take_lock(leader)
    one.kill()
    assert lock_is_held(two)
    assert goes_on(context, leader, epoch), "two of three go on"
    two.kill()
    only_local_goes_on(leader)
    one.start()
    heir, later = wait_leader([leader, one])
    assert later > epoch
    wait_known([leader, one], heir)
    assert lock_is_held(one)

    two.start()
    wait_known(nodes, heir)
    killed = [heir, two]
    left = next(node for node in nodes if node not in killed)
    for node in killed:
        node.kill()
    eventually("nobody leads", lambda: nobody_leads([left]))
    heir.start()
    _, last = wait_leader([left, heir])
    assert last > later
    assert lock_is_held(left)
    end(nodes)
