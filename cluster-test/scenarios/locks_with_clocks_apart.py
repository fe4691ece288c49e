"""Three voters whose wall clocks differ and jump: locks have one holder, fencing tokens rise.

By libfaketime: different offsets, jumps forward and back within what `--max-clock-skew` allows, and
one beyond it, while the leaseholder is killed and paused. Leases and the time that claims have to
live go by no wall clock; see harness/ordeal.py for what is checked (I2, I3, I4).
"""

import time

from harness.faults import BETWEEN
from harness.networked import cluster_on_network
from harness.ordeal import OPTIONS, Ordeal
from harness.wall_clock import WallClock

NEEDS_NETWORK = True
OFFSETS = (0.2, -0.15, 0.0)  # seconds


def run(context):
    network, cluster = cluster_on_network(context, 3, OPTIONS, start=False)
    clocks = []
    for node, offset in zip(cluster.nodes, OFFSETS):
        clocks.append(WallClock(
            context.program, context.folder / f"{node.name}.clock", offset))
        node.launcher += clocks[-1].launcher
    cluster.start()
    ordeal = Ordeal(context, cluster, network)

    def jump(*offsets):
        def fault():
            for clock, offset in zip(clocks, offsets):
                clock.put_off(offset)
            time.sleep(BETWEEN)
        return fault

    def beyond_the_skew():
        """The leaseholder's clock is seconds ahead for a while: the others do without it until
        they have caught up with what it has drawn from that clock."""
        clock = clocks[cluster.nodes.index(ordeal.faults.leader())]
        clock.put_off(4)
        time.sleep(1.5)
        clock.put_off(0)

    short = (jump(-0.2, 0.2, 0.1), "kill_leader", jump(0.2, 0.0, -0.2), "pause_leader",
             beyond_the_skew)
    long = (*short, jump(-5.0, -5.0, -5.0), "kill_leader", jump(0.0, 0.0, 0.0), "kill_two",
            beyond_the_skew, "restart_leader", jump(0.2, 0.2, -0.2), "kill_all", "pause_two")
    ordeal.run(long if context.long else short)
