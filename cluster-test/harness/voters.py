"""Who votes, as nodes say it, and steps of an operator who changes it."""

from harness.lease import lease
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


def wait_voters(nodes, names, timeout=15.0):
    """Until all of `nodes` name these voters, a majority of which holds that."""
    wanted = [name.encode() for name in names]

    def settled():
        for node in nodes:
            said = lease(node)
            if said["voters"] != wanted or said["voters-held"] != 1 or said["voters-wanted"]:
                return False
        return True
    eventually(f"the voters are {names}", settled, timeout)
