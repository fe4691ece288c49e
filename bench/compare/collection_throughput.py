"""Requests a second on collections: starlingd beside redis-server, in turn, medians of each."""

import dataclasses
import statistics
import subprocess

from report import ratio, thousands
from servers import output_of, redis_program
from throughput import CONNECTIONS, requests_a_second

LEAST = {1: 0.95, 16: 1.2, 64: 1.2}  # pipeline: least ratio to Redis
SESSIONS = 10_000  # hashes of 20 fields
MEMBERS = 100_000  # of the large hash and the large sorted set
QUEUED = 10_000    # elements of the list before it is pushed to
WINDOWS = 2_000   # sorted sets of 100 members


@dataclasses.dataclass(frozen=True)
class Operation:
    """A command line of redis-benchmark, where __rand_int__ is a number below `random`."""
    name: str
    line: tuple
    random: int
    requests: tuple  # of one run: at pipeline 1, and above

    def run(self, bench, server, pipeline, requests):
        return requests_a_second(server, pipeline, requests, self.random, self.line)


class Window(Operation):
    """Three commands that belong together, which redis-benchmark cannot send."""

    def run(self, bench, server, pipeline, requests):
        return float(output_of(bench.build / "bin" / "starling_window_load", server.host,
                               server.port, CONNECTIONS, pipeline, requests // 3, WINDOWS))


class Queue(Operation):
    """A push or pop that must have pushed or popped each time."""

    def run(self, bench, server, pipeline, requests):
        before = server.call("LLEN", "queue")
        figure = super().run(bench, server, pipeline, requests)
        moved = abs(server.call("LLEN", "queue") - before)
        # redis-benchmark may send some more, so that the last pipelines are whole.
        if not requests <= moved <= requests + CONNECTIONS * pipeline:
            raise AssertionError(f"{self.name}: {moved} elements moved by {requests} commands")
        return figure


# What belongs together is run in turn, so that a queue is popped from as often as pushed to.
OPERATIONS = (
    (Operation("HSET, a field of 20", ("HSET", "session:__rand_int__", "field:07", "a value of it"),
               SESSIONS, (60_000, 600_000)),),
    (Operation("HSET, a field of 100,000", ("HSET", "profile", "field:__rand_int__", "its value"),
               MEMBERS, (60_000, 600_000)),),
    (Operation("HGETALL of 20 fields", ("HGETALL", "session:__rand_int__"),
               SESSIONS, (60_000, 150_000)),),
    (Operation("HINCRBY, a field of 20", ("HINCRBY", "session:__rand_int__", "visits", "1"),
               SESSIONS, (60_000, 600_000)),),
    (Operation("ZADD, a member of 100,000", ("ZADD", "board", "__rand_int__", "user:__rand_int__"),
               MEMBERS, (60_000, 300_000)),),
    (Operation("ZRANGE, the ten highest", ("ZRANGE", "board", "0", "9", "REV", "WITHSCORES"),
               MEMBERS, (60_000, 250_000)),),
    (Window("ZREMRANGEBYSCORE, ZADD, ZCARD", (), WINDOWS, (150_000, 450_000)),),
    (Queue("LPUSH", ("LPUSH", "queue", "a job of twenty byte"), 1, (60_000, 800_000)),
     Queue("LPOP", ("LPOP", "queue"), 1, (60_000, 800_000))),
    (Operation("LRANGE 100", ("LRANGE", "recent", "0", "99"), 1, (40_000, 80_000)),),
    (Operation("SINTER of two of 1,000", ("SINTER", "group:a", "group:b"), 1, (4_000, 4_000)),),
)


def number(value):
    """As redis-benchmark writes __rand_int__."""
    return f"{value:012d}"


def commands():
    """What both servers hold before the first run."""
    for session in range(SESSIONS):
        fields = [word for i in range(19) for word in (f"field:{i:02}", f"value {session}-{i}")]
        yield ("HSET", f"session:{number(session)}", *fields, "visits", "0")
    for first in range(0, MEMBERS, 100):
        some = range(first, first + 100)
        yield ("HSET", "profile", *(w for i in some for w in (f"field:{number(i)}", "its value")))
        yield ("ZADD", "board", *(w for i in some for w in (number(i), f"user:{number(i)}")))
    yield ("RPUSH", "queue", *["a job of twenty byte"] * QUEUED)
    yield ("RPUSH", "recent", *(f"event {number(i)}" for i in range(1_000)))
    yield ("SADD", "group:a", *(f"member:{i}" for i in range(1_000)))
    yield ("SADD", "group:b", *(f"member:{i}" for i in range(500, 1_500)))


def prepare(server):
    with server.client(timeout=60) as client:
        for part in chunks(commands(), 100):
            for reply in client.pipeline(part):
                if isinstance(reply, Exception):
                    raise reply


def chunks(items, size):
    part = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def check_same_work(operation, servers):
    """Reads must answer the same on both; redis-benchmark does not look."""
    if operation.line[:1] not in (("HGETALL",), ("ZRANGE",), ("LRANGE",), ("SINTER",)):
        return
    line = [word.replace("__rand_int__", number(42)) for word in operation.line]
    sizes = {len(server.call(*line)) for server in servers}
    if len(sizes) != 1 or sizes == {0}:
        raise AssertionError(f"{operation.name} answers differ: {sizes} elements")


def compare(bench, report):
    pairs = 3 if bench.quick else 7
    report.section(
        "Collections of one node, beside redis-server",
        f"redis-benchmark with its own command lines, {CONNECTIONS} connections (the three "
        "commands of a sliding window: `starling_window_load`, a step as one); both servers "
        f"`appendonly yes`, `appendfsync everysec`; medians of {pairs} alternating runs; the ratio "
        "is starling's median by Redis's.")
    if redis_program() is None:
        report.add("redis-server is not installed", "not measured")
        return
    redis, node = bench.redis(), bench.starling().nodes[0]
    for server in (redis, node):
        prepare(server)
    for group in OPERATIONS:
        if not any(bench.wants(operation.name) for operation in group):
            continue
        for operation in group:
            check_same_work(operation, (redis, node))
        for pipeline in LEAST:
            compare_group(bench, report, group, pipeline, (redis, node), pairs)
    redis.kill()
    node.kill()


def compare_group(bench, report, group, pipeline, servers, pairs):
    figures = {(operation.name, server): [] for operation in group for server in servers}
    for _ in range(pairs):
        for operation in group:
            requests = operation.requests[0 if pipeline == 1 else 1]
            if bench.quick:
                requests //= 2
            for server in servers:
                figures[operation.name, server].append(
                    operation.run(bench, server, pipeline, requests))
    for operation in group:
        theirs, ours = (statistics.median(figures[operation.name, server]) for server in servers)
        report.at_least(
            f"{operation.name}, pipeline {pipeline}: {thousands(ours)} by {thousands(theirs)}",
            ours / theirs, LEAST[pipeline], ratio)
