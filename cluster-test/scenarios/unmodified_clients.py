"""Published clients of Redis find one Redis: on one node, and on three at random.

ioredis, node-redis and redis-py (commands, pipelines, transactions, scripts), locks by redlock and
redis-py, limits by rate-limiter-flexible and rate-limit-redis, and counts that come out exactly
when requests arrive everywhere at once. The same assertions hold of Debian's redis-server, which is
asked first. redlock's locks, which are plain writes, are taken at level `majority` too. The clients
have times of their own within which they want answers, and most read an outcome that is unknown as
a failure: so it is said of a machine that runs.
"""

import random
import re
import time

from harness.clients import Clients
from harness.lease import lease, under_one_lease
from harness.redis_server import RedisServer
from harness.waiting import eventually


def ordered(cluster):
    """The cluster, once all its nodes know who leads, and that one serves."""
    def known():
        said = [lease(node) for node in cluster.nodes]
        leading = [fields for fields in said if fields["leading"] == 1]
        return (len({fields["holder"] for fields in said}) == 1 and len(leading) == 1 and
                leading[0]["majority-begun"] == 1)
    eventually("all know who leads", known)
    return cluster


def run(context):
    clients = Clients(context.program.parent.parent / "clients")

    def redis(turn):
        server = RedisServer(context.folder / f"redis{turn}")
        context.on_close(server.close)
        return [server]

    def three(name, *options, seeds=True):
        refuse = ["--on-unreachable", "refuse", *options]
        return lambda turn: ordered(context.cluster(3, refuse, name + turn, seeds=seeds)).nodes
    voters = ["--voters", "n1,n2,n3"]
    kinds = {
        "redis-server": (redis, clients.run),
        "one node": (lambda turn: ordered(context.cluster(1, name="one" + turn)).nodes,
                     clients.run),
        "three nodes, the folder votes": (three("folder", seeds=False), clients.run),
        "three nodes, named voters": (three("voters", *voters), clients.run),
        "three nodes, named voters, redlock at majority": (
            three("majority", *voters, "--level", "lock:*=majority"),
            lambda servers, seed: clients.run_node(servers, seed, ("redlock_4", "redlock_5"))),
    }
    seed = random.randrange(1 << 30) if context.long else 1

    def ask(number):
        servers = [f"{node.host}:{node.port}" for node in start(f"-{number}")]
        began = time.monotonic()
        try:
            said = run_clients(servers, seed)
        except AssertionError as reason:
            raise AssertionError(f"{name}, seed {seed}: {reason}") from None
        context.report(name, f"{len(said.splitlines())} parts in "
                             f"{time.monotonic() - began:.1f} s (seed {seed})")
        for what, note in re.findall(r"^(.+) \((.+)\): ", said, re.MULTILINE):
            context.report(f"  {what}", note)
    for name, (start, run_clients) in kinds.items():
        under_one_lease(context, ask)
