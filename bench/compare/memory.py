"""Resident memory per key, and the time to start with a million keys."""

import time

from harness.waiting import eventually
from keys import KEYS, key, load
from report import seconds, whole_bytes
from servers import redis_program

BYTES_TARGET = 112


def settled_resident(node):
    """Resident bytes once they have not moved for 14 s, at most 60 s: by then background work is
    over, and what a process gives back to the system it has given back."""
    last, still = node.resident_bytes(), 0
    for _ in range(30):
        time.sleep(2)
        now = node.resident_bytes()
        still = still + 1 if abs(now - last) < 1 << 20 else 0
        last = now
        if still == 7:
            break
    return last


def report_memory(report, what, node, empty, target=None):
    """Adds what `node` takes; `empty`: what it took without a key."""
    resident = settled_resident(node)
    text = f"{what}, resident bytes by keys ({(resident - empty) / KEYS:.0f} above empty)"
    if target is None:
        report.add(text, whole_bytes(resident / KEYS))
    else:
        report.at_most(text, resident / KEYS, target, whole_bytes)


def time_restart(node, end):
    """Seconds from the start of the program to the first answer with all keys there."""
    getattr(node, end)()
    began = time.monotonic()
    node.start(wait=False)
    eventually("all keys are there", lambda: node.call("DBSIZE") == KEYS, 120, interval=0.005)
    return time.monotonic() - began


def measure(bench, report):
    report.section(
        "A million counters with a time to live",
        f"`INCR` and `EXPIRE` of keys such as `{key(0)}` ({len(key(0))} bytes). The whole resident "
        "memory of the process by a million. Start-up: until all keys answer.")
    if redis_program() is not None:
        redis = bench.redis()
        empty = redis.resident_bytes()
        load(redis)
        report_memory(report, "redis-server", redis, empty)
        report.add("redis-server, start after kill -9", seconds(time_restart(redis, "kill")))
        redis.kill()

    node = bench.starling().nodes[0]
    empty = node.resident_bytes()
    began = time.monotonic()
    load(node)
    report.add("one node, loaded in", seconds(time.monotonic() - began))
    report_memory(report, "one node alone", node, empty, BYTES_TARGET)
    report.add("one node, start after kill -9", seconds(time_restart(node, "kill")))
    report_memory(report, "one node restarted", node, empty, BYTES_TARGET)
    report.add("one node, start after SIGTERM", seconds(time_restart(node, "stop")))
    node.kill()

    cluster = bench.starling(3)
    empties = [node.resident_bytes() for node in cluster.nodes]
    for index, node in enumerate(cluster.nodes):  # each has written a third
        load(node, KEYS * index // 3, KEYS * (index + 1) // 3)
    cluster.wait_same(KEYS, "DBSIZE", timeout=120)
    for node, empty in zip(cluster.nodes, empties):
        report_memory(report, f"{node.name} of three", node, empty, BYTES_TARGET)
    cluster.close()
