"""A cluster on a network of its own, which scenarios can cut.

A scenario that uses it says `NEEDS_NETWORK = True`, so that it is run inside private namespaces.
"""

from harness.cluster import Cluster
from harness.network import Network
from harness.node import Node


def cluster_on_network(context, size, options=(), start=True, own_kernels=False):
    """A network of `size` hosts and a (started) cluster with one node on each, by a seed list."""
    network = Network(size, own_kernels)
    cluster = Cluster(context.program, context.folder / "network", 0)
    seeds = ",".join(f"{network.address(host)}:7100" for host in range(1, size + 1))
    cluster.nodes = [
        Node(context.program, cluster.folder / f"n{host}", f"n{host}",
             ["--cluster", "test", "--join", seeds, *options],
             host=network.address(host), port=7000, gossip_port=7100, password="letmein",
             launcher=network.launcher(host))
        for host in range(1, size + 1)]
    context.on_close(cluster.close)
    return network, cluster.start() if start else cluster
