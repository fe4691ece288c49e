"""Two clusters refuse each other: of different names, and of one name but created twice."""

from harness.waiting import eventually, holds_for


def refused(here, there, word):
    """`here` asks to join `there`; both stay as they are and one of them says why."""
    marks = [len(node.log()) for node in (here, there)]
    here.call("STARLING", "JOIN", there.gossip_address)
    eventually(f"a log says that the {word} differs", lambda: any(
        word in node.log()[mark:] for node, mark in zip((here, there), marks)))
    holds_for("nothing crosses over", lambda: here.call("GET", "k") != there.call("GET", "k"), 1)
    assert there.name not in here.members() or here.name == there.name


def run(context):
    first = context.cluster(1, name="first").nodes[0]
    second = context.cluster(1, name="second")
    second_node = second.nodes[0]
    first.call("SET", "k", "first")
    second_node.call("SET", "k", "second")
    refused(first, second_node, "name")

    twin = context.node("twin", ["--cluster", "first", "--meeting-folder",
                                 str(context.folder / "elsewhere")]).start()
    twin.call("SET", "k", "twin")
    eventually("the twin is a cluster of its own", lambda: twin.members() == {"twin": "alive"})
    refused(twin, first, "id")
