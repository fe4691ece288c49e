"""Five voters that are cut from each other in every shape: locks have one holder, nothing is lost.

The leaseholder isolated, or in a minority, or not heard, or hearing nobody; halves joined by one
node; one node that hears all while the others hear nobody else. Clients reach all nodes all the
time; see harness/ordeal.py for what they do and what is checked (I2, I3, I4).
"""

from harness.networked import cluster_on_network
from harness.ordeal import OPTIONS, Ordeal

NEEDS_NETWORK = True
SHORT = ("isolate_leader", "bridge_between_halves", "minority_with_leader", "bridge_node")
LONG = (*SHORT, "minority_without_leader", "nobody_hears_leader", "leader_hears_nobody",
        "three_parts", "kill_two", "pause_two", *SHORT)


def run(context):
    network, cluster = cluster_on_network(context, 5, OPTIONS)
    Ordeal(context, cluster, network).run(LONG if context.long else SHORT)
