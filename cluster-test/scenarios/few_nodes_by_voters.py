"""One, two and three nodes with named voters: one killed, one left, one with a lost disk.

Each function is a row of the table in docs/OPERATIONS.md, "When few nodes are left".
"""

import shutil

from harness.lease import leaders, lease, wait_known, wait_leader
from harness.voters import seeded, wait_voters
from harness.waiting import eventually


def run(context):
    for case in (one_node, two_nodes_one_killed, two_nodes_one_left, two_nodes_one_disk_lost,
                 three_nodes_two_killed):
        case(context)


def nobody_leads(nodes):
    eventually("nobody leads", lambda: not leaders(nodes) and
               all(lease(node)["holder"] is None for node in nodes))


def end(nodes):
    for node in nodes:
        node.kill()


def one_node(context):
    nodes = seeded(context, ["one1"], ["one1"], "one")
    _, epoch = wait_leader(nodes)
    nodes[0].call("INCR", "n")
    nodes[0].kill()
    nodes[0].start()
    _, later = wait_leader(nodes)
    assert later > epoch
    assert nodes[0].call("GET", "n") == b"1"
    end(nodes)


def two_nodes_one_killed(context):
    nodes = seeded(context, ["ka", "kb"], ["ka"], "killed")
    voter, other = nodes
    wait_known(nodes, voter)
    other.kill()
    assert voter.call("INCR", "n", level="leased") == 1, "without the other all goes on"
    other.start()
    wait_known(nodes, voter)
    voter.kill()
    nobody_leads([other])
    assert other.call("INCR", "local") == 1
    voter.start()
    wait_known(nodes, voter)
    eventually("what was written meanwhile is there", lambda: voter.call("GET", "local") == b"1")
    end(nodes)


def two_nodes_one_left(context):
    nodes = seeded(context, ["la", "lb"], ["la"], "left")
    voter, other = nodes
    wait_known(nodes, voter)
    other.call("INCR", "by-other")
    assert other.stop() == 0
    assert voter.call("GET", "by-other") == b"1", "it was handed over"
    wait_leader([voter])
    other.start()
    wait_known(nodes, voter)
    # The only voter leaves: its vote is not handed on, the operator does that before, or by force.
    voter.call("INCR", "by-voter")
    assert voter.stop() == 0
    nobody_leads([other])
    assert other.call("GET", "by-voter") == b"1"
    other.call("STARLING", "VOTERS", "FORCE", "lb")
    wait_leader([other])
    voter.start()
    wait_known(nodes, other)
    other.call("STARLING", "VOTERS", "REPLACE", "lb", "la")
    wait_voters(nodes, ["la"])
    wait_known(nodes, voter)
    assert voter.stop() == 0
    end([other])


def two_nodes_one_disk_lost(context):
    nodes = seeded(context, ["da", "db"], ["da"], "disk")
    voter, other = nodes
    wait_known(nodes, voter)
    _, epoch = wait_leader(nodes)
    voter.call("INCR", "n")
    eventually("the other has it", lambda: other.call("GET", "n") == b"1")
    voter.kill()
    shutil.rmtree(voter.folder)
    voter.folder.mkdir()
    voter.start()
    leader, later = wait_leader(nodes)
    assert leader is voter and later > epoch, f"epoch {later} after {epoch}"
    assert voter.call("GET", "n") == b"1", "it took the state from the other first"
    end(nodes)


def three_nodes_two_killed(context):
    names = ["ta", "tb", "tc"]
    nodes = seeded(context, names, names, "three")
    leader, epoch = wait_leader(nodes)
    wait_known(nodes, leader)
    others = [node for node in nodes if node is not leader]
    for node in others:
        node.kill()
    nobody_leads([leader])
    assert leader.call("INCR", "local") == 1
    others[0].start()
    _, later = wait_leader(nodes[:0] + [leader, others[0]])
    assert later > epoch
    end(nodes)
