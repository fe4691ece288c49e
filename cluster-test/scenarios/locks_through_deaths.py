"""Three voters that are killed, restarted and paused: locks have one holder, nothing is lost.

kill -9 of the leaseholder under load, SIGSTOP for longer than a lease, restarts; see
harness/ordeal.py for who works meanwhile and what is checked (I2, I3, I4).
"""

from harness.networked import cluster_on_network
from harness.ordeal import OPTIONS, Ordeal

NEEDS_NETWORK = True
SHORT = ("kill_leader", "pause_leader", "restart_leader")
LONG = (*SHORT, "kill_another", "kill_two", "pause_two", "kill_all", "kill_leader", *SHORT)


def run(context):
    network, cluster = cluster_on_network(context, 3, OPTIONS)
    Ordeal(context, cluster, network).run(LONG if context.long else SHORT)
