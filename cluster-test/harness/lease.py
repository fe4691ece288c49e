"""Who leads, and who waits there, as nodes say it."""

import re

from harness.waiting import eventually

LEASE_S = 2.0


def lease(node):
    """The answer to STARLING LEASE as {field: value}."""
    reply = node.call("STARLING", "LEASE")
    return {bytes(key).decode(): value for key, value in zip(reply[::2], reply[1::2])}


def leaders(nodes):
    """Those of `nodes` that say that they lead, with their epochs."""
    said = [(node, lease(node)) for node in nodes]
    return [(node, fields["epoch"]) for node, fields in said if fields["leading"] == 1]


def wait_leader(nodes, besides=None, timeout=15.0, interval=0.002):
    """Until one of `nodes` other than `besides` leads; returns it and its epoch."""
    def found():
        return next((each for each in leaders(nodes) if each[0] is not besides), None)
    return eventually("somebody leads", found, timeout, interval)


def wait_known(nodes, holder, timeout=15.0):
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
    """Until voters that have known `holder` before this call have prolonged its lease."""
    for _ in range(2):  # the first that shows may have been asked for earlier
        left = lease(holder)["valid-ms"]

        def prolonged():
            nonlocal left
            before, left = left, lease(holder)["valid-ms"]
            return left > before
        eventually(f"the lease of {holder.name} is prolonged", prolonged)


def blocked(node):
    """How many clients wait at this node: at the leaseholder, those of all nodes."""
    lines = node.call("INFO", "clients").split(b"\r\n")
    return next(int(line.partition(b":")[2]) for line in lines
                if line.startswith(b"blocked_clients:"))
