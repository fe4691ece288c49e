"""The operator forgets a dead member: it is no longer waited for; one that is alive is refused."""

from harness.resp import RespError
from harness.waiting import eventually


def run(context):
    cluster = context.cluster(3)
    one, two, lost = cluster.nodes
    try:
        one.call("STARLING", "FORGET", two.name)
        raise AssertionError("a living member was forgotten")
    except RespError:
        pass
    lost.kill()
    eventually("it is known dead", lambda: one.members()[lost.name] == "dead")
    one.call("STARLING", "FORGET", lost.name)
    eventually("both others list it as forgotten, or no more", lambda: all(
        node.members().get(lost.name, "forgotten") == "forgotten" for node in (one, two)))
    one.call("SET", "after", "x")
    cluster.wait_same(b"x", "GET", "after")
