"""Who votes, as nodes say it, and steps of an operator who changes it."""

from harness.lease import asked_of_leader, lease
from harness.resp import RespError
from harness.waiting import eventually


def seeded(context, names, voters, cluster="voting"):
    """Started nodes that find each other by a list, the voters being `voters`."""
    nodes = [context.node(name) for name in names]
    join = ",".join(node.gossip_address for node in nodes)
    for node in nodes:
        node.options += ["--cluster", cluster, "--meeting-folder", "no", "--join", join,
                         "--voters", ",".join(voters)]
        node.start(wait=False)
    for node in nodes:
        node.wait_ready()
    return nodes


def refused(node, *words, level="local"):
    """The error that `node` answers `words` with."""
    try:
        answer = node.call(*words, level=level)
    except RespError as error:
        return str(error)
    raise AssertionError(f"{words} was answered with {answer!r}")


def wait_voters(nodes, names, timeout=60.0):
    """Until all of `nodes` name these voters, a majority of which holds that."""
    eventually(f"the voters are {names}", lambda: are_voters(nodes, names), timeout)


def are_voters(nodes, names):
    wanted = [name.encode() for name in names]
    for node in nodes:
        said = lease(node)
        if said["voters"] != wanted or said["voters-held"] != 1 or said["voters-wanted"]:
            return False
    return True


def change_voters(nodes, names, *words):
    """STARLING VOTERS with `words`, asked of whoever of `nodes` leads, until the voters are `names`
    for all of them: asked again where the lease moved before the change was done (which its
    leaseholder logs), as docs/OPERATIONS.md has it."""
    asked = asked_of_leader(nodes, "STARLING", "VOTERS", *words)
    assert asked == "OK", asked
    cut_short = logged_cut_short(nodes)

    def settled():
        nonlocal cut_short
        if logged_cut_short(nodes) > cut_short:
            cut_short = logged_cut_short(nodes)
            asked_of_leader(nodes, "STARLING", "VOTERS", *words)
        return are_voters(nodes, names)
    eventually(f"the voters are {names}", settled)


def logged_cut_short(nodes):
    return sum(node.log().count("event=voters_change_cut_short") for node in nodes)
