"""What must hold of the lease for either kind of voters."""

import time

from harness.lease import leaders, lease, wait_known, wait_leader
from harness.waiting import eventually


def run_steps(context, cluster, mode):
    nodes = cluster.nodes
    first, epoch = wait_leader(nodes)
    wait_known(nodes, first)
    assert all(lease(node)["mode"] == mode for node in nodes)
    eventually("the beginning is acknowledged", lambda: lease(first)["majority-begun"] == 1)
    assert lease(first)["valid-ms"] > 0

    rounds = 5 if context.long else 2
    for _ in range(rounds):
        killed = first
        others = [node for node in nodes if node is not killed]
        began = time.monotonic()
        killed.kill()
        first, later = wait_leader(others)
        gap = time.monotonic() - began
        context.report("without a leader after kill -9", f"{gap * 1000:.0f} ms")
        assert later > epoch, f"epoch {later} after {epoch}"
        epoch = later
        killed.start()
        wait_known(nodes, first)

    stopped = first
    others = [node for node in nodes if node is not stopped]
    began = time.monotonic()
    stopped.pause()
    first, later = wait_leader(others)
    gap = time.monotonic() - began
    context.report("without a leader after SIGSTOP", f"{gap * 1000:.0f} ms")
    assert later > epoch
    stopped.resume()
    assert stopped not in [node for node, _ in leaders([stopped])], "it still leads"
    wait_known(nodes, first)
    assert len(leaders(nodes)) == 1

    leaving = first
    others = [node for node in nodes if node is not leaving]
    assert leaving.stop() == 0
    first, later = wait_leader(others)
    assert later > epoch
    leaving.start()
    wait_known(nodes, first)
