"""Bytes per element of small and large collections: resident, and as MEMORY USAGE says."""

import dataclasses

from collection_throughput import chunks
from memory import settled_resident
from report import ratio
from servers import redis_program

SMALL, LARGE = 20, 500_000  # elements of a collection
SMALL_KEYS = {False: 100_000, True: 25_000}  # collections of that size; with --quick
MOST = {SMALL: 1.5, LARGE: 1.0}  # of Redis's bytes


@dataclasses.dataclass(frozen=True)
class Kind:
    """A type of collection: the command that fills it, and the words of its i-th element."""
    name: str
    command: str
    words: callable


KINDS = (
    Kind("hash", "HSET", lambda i: (f"field:{i:07}", f"value:{i:07}")),
    Kind("set", "SADD", lambda i: (f"member:{i:07}",)),
    Kind("set of integers", "SADD", lambda i: (i * 7 + 1_000_000,)),
    Kind("sorted set", "ZADD", lambda i: (i, f"member:{i:07}")),
    Kind("list", "RPUSH", lambda i: (f"element:{i:07}",)),
)


def commands(kind, size, keys):
    step = min(size, 100)
    for key in range(keys):
        for first in range(0, size, step):
            words = (w for i in range(first, first + step) for w in kind.words(key * size + i))
            yield (kind.command, f"collection:{key:06}", *words)


def fill(server, kind, size, keys):
    with server.client(timeout=60) as client:
        for part in chunks(commands(kind, size, keys), 100):
            for reply in client.pipeline(part):
                if isinstance(reply, Exception):
                    raise reply


class Measured:
    """One server with collections of one kind and size, and what it takes for them."""

    def __init__(self, server, kind, size, keys):
        self._server = server
        self._size = size
        self._elements = size * keys
        self._empty = server.resident_bytes()
        fill(server, kind, size, keys)
        self.loaded = self._each(server.resident_bytes())

    def settle(self):
        self.resident = self._each(settled_resident(self._server))
        usage = self._server.call("MEMORY", "USAGE", "collection:000000", "SAMPLES", "0")
        self.usage = usage / self._size

    def _each(self, resident):
        return (resident - self._empty) / self._elements


def measure(bench, report):
    report.section(
        "Bytes per element of collections",
        f"{SMALL_KEYS[bench.quick]:,} collections of {SMALL} elements, or one of {LARGE:,}: what "
        "the process "
        "takes more than when it was empty, by elements, keys included; `MEMORY USAGE` of one key "
        "by its elements. The ratio is starling's bytes by Redis's. Loaded: as soon as the last "
        "command was answered.")
    if redis_program() is None:
        report.add("redis-server is not installed", "not measured")
        return
    for size, most in MOST.items():
        keys = SMALL_KEYS[bench.quick] if size == SMALL else 1
        rows = []
        for kind in KINDS:
            name = f"{kind.name} of {size:,}"
            if bench.wants(name):
                rows.append((name, Measured(bench.redis(), kind, size, keys),
                             Measured(bench.starling().nodes[0], kind, size, keys)))
        for name, redis, node in rows:
            redis.settle()
            node.settle()
            report.at_most(f"{name}, resident: {node.resident:.1f} by {redis.resident:.1f} B",
                           node.resident / redis.resident, most, ratio)
            report.at_most(f"{name}, MEMORY USAGE: {node.usage:.1f} by {redis.usage:.1f} B",
                           node.usage / redis.usage, most, ratio)
            report.add(f"{name}, loaded: {node.loaded:.1f} by {redis.loaded:.1f} B",
                       ratio(node.loaded / redis.loaded))
        bench.close()
