"""Three named voters on one host: one leads as long as two of them live, whatever happens to it.

After kill -9 another leads soon, since the kernel tells the others of the death; one that stands
still (SIGSTOP) is overtaken a lease later, and finds that out when it runs again (I3). With two of
three gone nobody leads, and `local` state goes on.
"""

from harness.lease import leaders, lease, wait_leader
from harness.lease_steps import run_steps
from harness.waiting import eventually


def run(context):
    nodes = [context.node(f"n{index + 1}") for index in range(3)]
    join = ",".join(node.gossip_address for node in nodes)
    for node in nodes:
        node.options += ["--cluster", "voting", "--meeting-folder", "no", "--join", join,
                         "--voters", "n3,n1,n2"]
        node.start(wait=False)
    for node in nodes:
        node.wait_ready()
    cluster = Voters(nodes)
    run_steps(context, cluster, mode=b"named")
    assert nodes[0].call("STARLING", "VOTERS") == [b"n1", b"n2", b"n3"]

    first, _ = wait_leader(nodes)
    others = [node for node in nodes if node is not first]
    others[0].kill()
    others[1].kill()
    eventually("nobody leads without a majority", lambda: not leaders([first]))
    assert lease(first)["holder"] is None
    assert first.call("INCR", "alone") == 1


class Voters:
    """What the steps need of a cluster."""

    def __init__(self, nodes):
        self.nodes = nodes
