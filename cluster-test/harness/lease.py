"""Who leads, as nodes say it."""

from harness.waiting import eventually


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
