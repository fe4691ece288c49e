"""Three nodes of one host whose meeting folder votes, killed and paused: locks have one holder.

kill -9 of the leaseholder and of all, SIGSTOP for longer than a lease, restarts; see
harness/ordeal.py for who works meanwhile and what is checked (I2, I3, I4).
"""

from harness.ordeal import OPTIONS, Ordeal

SHORT = ("kill_leader", "pause_leader", "kill_two")
LONG = (*SHORT, "restart_leader", "kill_another", "pause_two", "kill_all", "kill_leader", *SHORT)


def run(context):
    Ordeal(context, context.cluster(3, OPTIONS)).run(LONG if context.long else SHORT)
