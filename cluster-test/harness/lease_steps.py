"""What must hold of the lease for either kind of voters."""

import time

from harness.lease import (leaders, led_within, lease, may_be_lost, taken_after, wait_known,
                           wait_leader, wait_renewed)
from harness.waiting import eventually


class Steps:
    """Takes the lease away from one after the other, in different ways."""

    def __init__(self, context, nodes):
        self.context, self.nodes = context, nodes
        self.leader, self.epoch = wait_leader(nodes)
        wait_known(nodes, self.leader)
        self.sooner = []  # of each kill, whether the next one led before the lease could lapse

    def next_leader(self, what, take_away):
        """Does that to the leader; returns it, by what the next one says its lease ended, whether
        that was sooner than it could have lapsed, and whether the machine stood still for so long
        meanwhile that it lapsed whatever was done."""
        self.leader, self.epoch = wait_leader(self.nodes)
        while not wait_renewed(self.leader):
            self.leader, self.epoch = wait_leader(self.nodes)
        before = self.leader
        others = [node for node in self.nodes if node is not before]
        began = time.monotonic()
        lasts = lease(before)["valid-ms"] / 1000
        take_away(before)
        self.leader, later = wait_leader(others)
        gap = led_within(self.context, began)
        self.context.report(f"without a leader after {what}", f"{gap * 1000:.0f} ms")
        assert later > self.epoch, f"epoch {later} after {self.epoch}"
        self.epoch = later
        after = taken_after(self.leader, later)
        return before, after, gap < lasts, may_be_lost(self.context, began)

    def kill(self):
        killed, after, sooner, lapsed = self.next_leader("kill -9", lambda node: node.kill())
        # Two that stand at once give their votes back: `resignation`, then. Nobody waits for a
        # lapse.
        assert after in ("death", "resignation") or lapsed, after
        self.sooner.append(sooner or lapsed)
        killed.start()
        wait_known(self.nodes, self.leader)

    def stop(self):
        stopped, after, sooner, _ = self.next_leader("SIGSTOP", lambda node: node.pause())
        # As with a kill: of two that stood at once one gave the votes back.
        assert after in ("lapse", "resignation"), after
        assert not sooner, "two led at once"
        stopped.resume()
        assert stopped not in [node for node, _ in leaders([stopped])], "it still leads"
        wait_known(self.nodes, self.leader)
        eventually("one leads", lambda: len(leaders(self.nodes)) == 1)

    def leave(self):
        def leave(node):
            assert node.stop() == 0
        left, after, _, lapsed = self.next_leader("SIGTERM", leave)
        assert after == "resignation" or lapsed, after
        left.start()
        wait_known(self.nodes, self.leader)


def run_steps(context, cluster, mode):
    nodes = cluster.nodes
    steps = Steps(context, nodes)
    assert all(lease(node)["mode"] == mode for node in nodes)
    eventually("the beginning is acknowledged",
               lambda: lease(steps.leader)["majority-begun"] == 1)
    eventually("its lease is valid", lambda: lease(steps.leader)["valid-ms"] > 0)

    for _ in range(5 if context.long else 2):
        steps.kill()
    assert any(steps.sooner), "each time the lease of the dead had to lapse"
    steps.stop()
    steps.leave()
