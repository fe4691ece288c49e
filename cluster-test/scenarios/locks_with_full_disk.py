"""Three voters, one of whose disks is full: locks go on at the others, and nothing is lost.

The disk of the leaseholder fills up under load: its log fails, so it no longer writes, and says so;
another leads. With room again it serves as before. See harness/ordeal.py for who
works meanwhile and what is checked (I2, I3, I4, I13).
"""

import time

from harness.disk import Disk
from harness.faults import LASTS
from harness.networked import cluster_on_network
from harness.ordeal import OPTIONS, Ordeal
from harness.waiting import eventually

NEEDS_NETWORK = True  # and mounts of its own, which come with it
DISK = 64 << 20
LONG_DISK = 256 << 20  # more than the log that a node keeps: only what is filled is full
BULK = "x" * (1 << 18)


def syncs(node):
    """Whether no sync fails for a while; there is one a second."""
    before = node.log().count("event=sync_failed")
    time.sleep(1.5)
    return node.log().count("event=sync_failed") == before


def run(context):
    network, cluster = cluster_on_network(context, 3, OPTIONS, start=False)
    size = LONG_DISK if context.long else DISK
    disks = {node: Disk(context, node.folder, size) for node in cluster.nodes}
    cluster.start()
    ordeal = Ordeal(context, cluster, network)

    def log_fails(node, said):
        """Whether it said so; if not, writes more: RocksDB has set room aside for its log's file,
        and how soon the workers alone use that up is a matter of the machine's speed."""
        if "event=append_failed" in node.log()[said:]:
            return True
        node.call("SET", "bulk", BULK)
        return False

    def full_disk(node):
        said = len(node.log())
        disks[node].fill()
        eventually("it says that its log fails", lambda: log_fails(node, said), 20)
        began, before = time.monotonic(), ordeal.shared.increments
        eventually("locks are taken again", lambda: ordeal.shared.increments > before + 20, 30)
        context.report("20 increments with a full disk", f"{time.monotonic() - began:.1f} s")
        time.sleep(LASTS)
        disks[node].make_room()
        eventually("it says that it writes again",
                   lambda: "event=log_writable" in node.log()[said:], 20)
        eventually("what it writes is synced again", lambda: syncs(node), 20)

    def at_leader():
        full_disk(ordeal.faults.leader())

    def at_another():
        full_disk(ordeal.faults.others()[0][0])

    short = (at_leader, "kill_leader")
    long = (*short, at_another, at_leader, "pause_leader", at_leader, "restart_leader")
    ordeal.run(long if context.long else short)
