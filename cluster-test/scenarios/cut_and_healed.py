"""Two of three nodes are cut from each other, all write on, and agree when healed (I1, I2).

In network namespaces. First only the direct link between two nodes is cut: the third passes on
what it has. Then one host hears nobody; all sides write; after healing nothing is lost or doubled.
"""

from harness.load import Incrementer, check_sum
from harness.waiting import eventually
from harness.networked import cluster_on_network

NEEDS_NETWORK = True
EACH = 5_000


def increment(cluster, key, nodes):
    writers = [Incrementer(node, key, EACH) for node in nodes]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.finish()
    return writers


def run(context):
    network, cluster = cluster_on_network(context, 3)
    one, two, three = cluster.nodes

    network.cut(1, 2)
    writers = increment(cluster, "direct", cluster.nodes)
    value, _, _ = check_sum(cluster, "direct", writers)  # still cut: through the third
    assert value == 3 * EACH, value
    network.heal(1, 2)

    network.cut(1, 3)
    network.cut(2, 3)
    writers = increment(cluster, "isolated", cluster.nodes)
    one.call("SADD", "members", "left")
    three.call("SADD", "members", "right")
    eventually("the two that hear each other agree",
               lambda: one.call("GET", "isolated") == two.call("GET", "isolated")
               == str(2 * EACH).encode())
    assert int(three.call("GET", "isolated")) == EACH, "the cut does not cut"
    network.heal(1, 3)
    network.heal(2, 3)
    value, _, _ = check_sum(cluster, "isolated", writers)
    assert value == 3 * EACH, value
    assert cluster.wait_converged()[b"members"] == [b"left", b"right"]
    cluster.wait_agreed()
