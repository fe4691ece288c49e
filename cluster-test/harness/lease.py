"""Who leads, and who waits there, as nodes say it."""

import re
import time

from harness.resp import Disconnected, RespError
from harness.waiting import Skip, eventually

LEASE_S = 0.8


def lease(node):
    """The answer to STARLING LEASE as {field: value}."""
    reply = node.call("STARLING", "LEASE")
    return {bytes(key).decode(): value for key, value in zip(reply[::2], reply[1::2])}


def leaders(nodes):
    """Those of `nodes` that say that they lead, with their epochs."""
    said = [(node, lease(node)) for node in nodes]
    return [(node, fields["epoch"]) for node, fields in said if fields["leading"] == 1]


def wait_leader(nodes, besides=None, timeout=60.0, interval=0.002):
    """Until one of `nodes` other than `besides` leads; returns it and its epoch."""
    def found():
        return next((each for each in leaders(nodes) if each[0] is not besides), None)
    return eventually("somebody leads", found, timeout, interval)


def wait_known(nodes, holder, timeout=60.0):
    """Until all of `nodes` name `holder` as who holds the lease."""
    def known():
        return all(lease(node)["holder"] == holder.name.encode() for node in nodes)
    eventually(f"all know that {holder.name} leads", known, timeout)


def taken_after(node, epoch):
    """By what the lease before `epoch` had ended, as `node`, which took it, has logged: death,
    resignation, lapse."""
    def logged():
        taken = re.findall(r"event=lease_taken .*?epoch=(\d+) after=(\w+)", node.log())
        return dict(taken).get(str(epoch))
    return eventually(f"{node.name} logs that it took the lease of epoch {epoch}", logged)


def wait_renewed(holder):
    """Until voters that have known `holder` before this call have prolonged its lease. Whether it
    leads still."""
    for _ in range(2):  # the first that shows may have been asked for earlier
        left = lease(holder)["valid-ms"]

        def prolonged():
            nonlocal left
            said = lease(holder)
            before, left = left, said["valid-ms"]
            return left > before or said["leading"] != 1
        eventually(f"the lease of {holder.name} is prolonged", prolonged)
    return lease(holder)["leading"] == 1


def goes_on(context, leader, epoch):
    """Nothing has changed for the leaseholder. (Where the machine stood still for too long it may
    have lost the lease, and have it again.)"""
    said = lease(leader)
    return (said["leading"] == 1 and said["epoch"] == epoch) or may_be_lost(context)


def may_be_lost(context, since=0.0):
    """Whether the machine has stood still for so long since then that a lease that is renewed four
    times as long as it lasts may have lapsed."""
    return context.stalls.longest(since) > LEASE_S / 2


AT_MOST_S = 10.0  # within which somebody leads: a loaded machine must not fail the test


def led_within(context, began):
    """For how long nobody has led since `began`, seconds; fails where the machine ran for longer
    than AT_MOST_S of them."""
    gap = time.monotonic() - began
    ran = gap - context.stalls.total(began)
    assert ran < AT_MOST_S, f"nobody led for {gap:.1f} s"
    return gap


TRIES = 3


def under_one_lease(context, part):
    """`part(number)`, which says what holds as long as one lease is held. Where it fails, and the
    machine stood still meanwhile for so long that the lease may have lapsed, it has shown nothing:
    it is done again with the next number. Skips the scenario where that is so each time."""
    for number in range(TRIES):
        began = time.monotonic()
        try:
            return part(number)
        except (AssertionError, RespError, Disconnected) as reason:
            if not may_be_lost(context, began):
                raise
            context.report("shows nothing", f"the machine stood still for "
                           f"{context.stalls.longest(began):.1f} s ({reason})")
    raise Skip(f"the machine stands still for longer than half a lease, {TRIES} times")


def asked_of_leader(nodes, *words):
    """What whoever leads answers `words`, an error as its text; asked again while the lease moves
    to another."""
    def answered():
        leader, _ = wait_leader(nodes)
        try:
            return (leader.call(*words),)
        except RespError as error:
            moved = str(error).startswith(("NOTLEADER", "NOQUORUM"))
            return None if moved else (str(error),)
    return eventually(f"the leaseholder answers {words}", answered)[0]


def blocked(node):
    """How many clients wait at this node: at the leaseholder, those of all nodes."""
    lines = node.call("INFO", "clients").split(b"\r\n")
    return next(int(line.partition(b":")[2]) for line in lines
                if line.startswith(b"blocked_clients:"))
