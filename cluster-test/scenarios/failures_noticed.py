"""A killed process is known dead to all within a second, a silent host within three.

Measured from the outside, by asking the others until they say so. The limits asserted here are
wider than the targets, which bench/ reports, and are of the time in which the machine ran: a loaded
one must not fail the test.
"""

import time

from harness.waiting import eventually
from harness.networked import cluster_on_network

NEEDS_NETWORK = True
KILLED_LIMIT = 3.0
SILENT_LIMIT = 8.0


def seconds_until_dead(context, victim, witnesses, limit):
    began = time.monotonic()
    eventually(f"{victim.name} is dead to {[node.name for node in witnesses]}",
               lambda: all(node.members()[victim.name] == "dead" for node in witnesses), 60,
               interval=0.005)
    took = time.monotonic() - began
    stood = context.stalls.total(began)
    assert took - stood < limit, f"{took:.1f} s, of which the machine stood still for {stood:.1f}"
    return took


def run(context):
    network, cluster = cluster_on_network(context, 3)
    one, two, three = cluster.nodes

    three.kill()
    took = seconds_until_dead(context, three, [one, two], KILLED_LIMIT)
    context.report("killed process known dead to all (target 1 s)", f"{took:.3f} s")
    three.start()
    cluster.wait_agreed()

    network.silence(3)
    took = seconds_until_dead(context, three, [one, two], SILENT_LIMIT)
    context.report("silent host known dead to all (target 3 s)", f"{took:.3f} s")
    network.unsilence(3)
    cluster.wait_agreed()
