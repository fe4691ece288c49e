"""A node is killed (-9) and restarted while all three increment: what was acknowledged counts.

An increment that was in flight when its node died may count or not; no other may be lost, and none
may count twice (I2, I10).
"""

from harness.load import Incrementer, check_sum

EACH = 10_000


def run(context):
    cluster = context.cluster(3)
    rounds = 5 if context.long else 2
    writers = [Incrementer(node, "n", EACH) for node in cluster.nodes]
    for writer in writers:
        writer.start()
    for number in range(rounds):
        victim = cluster.nodes[number % 3]
        writers[number % 3].wait_acknowledged(EACH * (number + 1) // (rounds + 2))
        victim.kill()
        victim.start()
    for writer in writers:
        writer.finish()
    value, acknowledged, sent = check_sum(cluster, "n", writers)
    context.report("acknowledged <= value <= sent", f"{acknowledged} <= {value} <= {sent}")
    cluster.wait_agreed()
