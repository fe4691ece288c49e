"""The operator forgets a dead member: it is no longer waited for; one that is alive is refused.

Who leads decides it, the others name that one. A voter is taken out of the voters first.
"""

from harness.lease import asked_of_leader, wait_known, wait_leader
from harness.voters import change_voters, refused, seeded
from harness.waiting import eventually


def run(context):
    in_the_folder(context)
    by_voters(context)


def in_the_folder(context):
    cluster = context.cluster(3)
    leader, _ = wait_leader(cluster.nodes)
    other, lost = [node for node in cluster.nodes if node is not leader]
    wait_known(cluster.nodes, leader)
    assert "is alive" in asked_of_leader(cluster.nodes, "STARLING", "FORGET", lost.name)
    lost.kill()
    eventually("it is known dead", lambda: all(
        node.members()[lost.name] == "dead" for node in (leader, other)))
    def names_the_leader():
        leads, _ = wait_leader((leader, other))
        asked = other if leads is leader else leader
        return refused(asked, "STARLING", "FORGET", lost.name).startswith(
            f"NOTLEADER '{leads.name}'")
    eventually("who does not lead names who does", names_the_leader)
    assert asked_of_leader((leader, other), "STARLING", "FORGET", lost.name) == "OK"
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
    assert f"STARLING VOTERS REMOVE {lost.name}" in asked_of_leader(
        left, "STARLING", "FORGET", lost.name)
    change_voters(left, [node.name for node in left if node is not nodes[3]], "REMOVE", lost.name)
    assert asked_of_leader(left, "STARLING", "FORGET", lost.name) == "OK"
    wait_forgotten(left, lost)


def wait_forgotten(nodes, lost):
    eventually("the others list it as forgotten, or no more", lambda: all(
        node.members().get(lost.name, "forgotten") == "forgotten" for node in nodes))
