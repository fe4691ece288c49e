"""The operator forgets a dead member: it is no longer waited for; one that is alive is refused.

Who leads decides it, the others name that one. A voter is taken out of the voters first.
"""

from harness.lease import wait_known, wait_leader
from harness.voters import refused, seeded, wait_voters
from harness.waiting import eventually


def run(context):
    in_the_folder(context)
    by_voters(context)


def in_the_folder(context):
    cluster = context.cluster(3)
    leader, _ = wait_leader(cluster.nodes)
    other, lost = [node for node in cluster.nodes if node is not leader]
    wait_known(cluster.nodes, leader)
    assert "is alive" in refused(leader, "STARLING", "FORGET", other.name)
    lost.kill()
    eventually("it is known dead", lambda: all(
        node.members()[lost.name] == "dead" for node in (leader, other)))
    assert refused(other, "STARLING", "FORGET", lost.name).startswith(
        f"NOTLEADER '{leader.name}'")
    assert leader.call("STARLING", "FORGET", lost.name) == "OK"
    wait_forgotten((leader, other), lost)
    leader.call("SET", "after", "x")
    eventually("the other has it", lambda: other.call("GET", "after") == b"x")
    lost.start()
    cluster.wait_same(b"x", "GET", "after")


def by_voters(context):
    nodes = seeded(context, ["v1", "v2", "v3", "v4"], ["v1", "v2", "v3"], cluster="forgetting")
    leader, _ = wait_leader(nodes)
    wait_known(nodes, leader)
    lost = next(node for node in nodes[:3] if node is not leader)
    left = [node for node in nodes if node is not lost]
    lost.kill()
    eventually("it is known dead", lambda: all(
        node.members()[lost.name] == "dead" for node in left))
    assert f"STARLING VOTERS REMOVE {lost.name}" in refused(
        leader, "STARLING", "FORGET", lost.name)
    assert leader.call("STARLING", "VOTERS", "REMOVE", lost.name) == "OK"
    wait_voters(left, [node.name for node in left if node is not nodes[3]])
    assert leader.call("STARLING", "FORGET", lost.name) == "OK"
    wait_forgotten(left, lost)


def wait_forgotten(nodes, lost):
    eventually("the others list it as forgotten, or no more", lambda: all(
        node.members().get(lost.name, "forgotten") == "forgotten" for node in nodes))
