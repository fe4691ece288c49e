"""The operator changes who votes: another, one more, one less, by force, and from the folder.

A client increments at the leaseholder between the steps, which lose nothing and need no new epoch.
A voter that was outvoted by force hears of it when it is back, and does not lead.
"""

from harness.lease import (asked_of_leader, leaders, lease, may_be_lost, wait_known,
                           wait_leader)
from harness.voters import change_voters, refused, seeded, wait_voters
from harness.waiting import eventually


def run(context):
    named(context)
    from_the_folder(context)


def named(context):
    nodes = seeded(context, ["v1", "v2", "v3", "v4"], ["v1", "v2", "v3"])
    leader, epoch = wait_leader(nodes)
    wait_known(nodes, leader)
    other = next(node for node in nodes if node is not leader)
    count = 0

    def increment():
        nonlocal count
        count += 1
        assert leader.call("INCR", "n", level="leased") == count

    increment()

    def names_the_leader():
        leads, _ = wait_leader(nodes)
        asked = next(node for node in nodes if node is not leads)
        return refused(asked, "STARLING", "VOTERS", "ADD", "v4").startswith(
            f"NOTLEADER '{leads.name}'")
    eventually("who does not lead names who does", names_the_leader)
    assert "no member 'v9'" in asked_of_leader(nodes, "STARLING", "VOTERS", "ADD", "v9")
    refused_text = asked_of_leader(nodes, "STARLING", "VOTERS", "REPLACE", "v4", other.name)
    assert "'v4'" in refused_text, refused_text
    change_voters(nodes, sorted({"v1", "v2", "v3", "v4"} - {other.name}),
                  "REPLACE", other.name, "v4")
    increment()
    change_voters(nodes, ["v1", "v2", "v3", "v4"], "ADD", other.name)
    increment()
    gone = next(node for node in nodes[:3] if node is not leader)
    gone.kill()
    left = [node for node in nodes if node is not gone]
    change_voters(left, [node.name for node in left], "REMOVE", gone.name)
    increment()
    change_voters(left, [leader.name], "SET", leader.name)
    increment()
    assert lease(leader)["epoch"] == epoch or may_be_lost(context), "a change took the lease away"
    gone.start()
    wait_voters(nodes, [leader.name])

    heir = next(node for node in nodes if node is not leader)
    wait_leader(nodes)
    assert "holds the lease" in refused(heir, "STARLING", "VOTERS", "FORCE", heir.name)
    old = leader
    old.kill()
    eventually("nobody leads", lambda: lease(heir)["holder"] is None)
    assert refused(heir, "STARLING", "VOTERS", "ADD", heir.name).startswith("NOQUORUM")
    warning = bytes(heir.call("STARLING", "VOTERS", "FORCE", heir.name)).decode()
    assert warning.startswith(
        f"WARNING the voters are now {heir.name} (before: {old.name}). "), warning
    assert "Locks and other claims that only the voters before held are lost." in warning
    assert "two holders of one lock are possible until then" in warning, warning
    wait_leader([heir])
    logged = next(line for line in heir.log().splitlines() if "event=voters_forced" in line)
    assert f'before="{old.name}" voters="{heir.name}"' in logged, logged
    assert "what only the voters before held is lost" in logged, logged
    assert heir.call("INCR", "n", level="leased") == count + 1
    old.start()
    wait_voters(nodes, [heir.name])
    wait_known(nodes, heir)
    eventually("it leads alone", lambda: [node for node, _ in leaders(nodes)] == [heir])
    for node in nodes:
        node.kill()


def from_the_folder(context):
    cluster = context.cluster(3, name="folder")
    nodes = cluster.nodes
    leader, _ = wait_leader(nodes)
    wait_known(nodes, leader)
    assert "VOTERS SET" in asked_of_leader(nodes, "STARLING", "VOTERS", "ADD", "n1")
    eventually("it may be asked",
               lambda: asked_of_leader(nodes, "STARLING", "VOTERS", "SET", "n1,n2,n3") == "OK")
    wait_voters(nodes, ["n1", "n2", "n3"])
    wait_known(nodes, wait_leader(nodes)[0])
    assert all(lease(node)["mode"] == b"named" for node in nodes)
    for node in nodes:
        node.kill()
    for node in nodes:
        node.start(wait=False)
    for node in nodes:
        node.wait_ready()
    wait_voters(nodes, ["n1", "n2", "n3"])
    first, _ = wait_leader(nodes)
    others = [node for node in nodes if node is not first]
    for node in others:
        node.kill()
    eventually("the folder does not vote any more", lambda: not leaders([first]))
