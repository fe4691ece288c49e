"""Commands that the leaseholder orders, by redis-benchmark: claims, and what forwarding costs."""

import itertools
import statistics

from locks import leader_first
from report import ratio, thousands
from servers import redis_program
from throughput import CONNECTIONS, requests_a_second

NAMES = 2_000_000_000  # of claims, drawn at random: as good as never the same
CLAIM = ("SET", "claim:{run}:__rand_int__", "1", "NX", "EX", "3600")
RUNS = itertools.count()  # redis-benchmark may draw the same names in two runs
KEYSPACE = 100_000
LEAST = {1: None, 16: 0.5}  # pipeline: least ratio of another node to the leaseholder


class Alternating:
    """Runs at several places in turn, so that a slow minute hits all; medians of each."""

    def __init__(self, bench, places, run):
        self._figures = {name: [] for name in places}
        for _ in range(3 if bench.quick else 7):
            for name, figures in self._figures.items():
                figures.append(run(places[name]))

    def median(self, name):
        return statistics.median(self._figures[name])


def claim(server, requests):
    """Claims a second; fails where fewer keys are there afterwards than were claimed."""
    before = server.call("DBSIZE")
    words = [word.replace("{run}", str(next(RUNS))) for word in CLAIM]
    figure = requests_a_second(server, 1, requests, NAMES, words)
    granted = server.call("DBSIZE") - before
    if granted < requests * 0.99:
        raise AssertionError(f"{server.name}: {requests} claims made {granted} keys")
    return figure


def claims(bench, report):
    """Deduplication: each key is claimed for longer than this takes."""
    requests = 10_000 if bench.quick else 50_000
    report.section(
        "Claims a second",
        f"redis-benchmark, {CONNECTIONS} connections, `SET name 1 NX EX 3600`, each of another "
        "name; one redis-server, and three nodes of which more than half of the voters hold a "
        "claim before it is answered. All `appendonly yes`, `appendfsync everysec`; medians of "
        "alternating runs.")
    if redis_program() is None:
        report.add("redis-server is not installed", "not measured")
        return
    places = {"Redis": bench.redis()}
    for kind, voters in (("folder", False), ("three voters", True)):
        first, second, _ = leader_first(bench.starling(3, voters=voters))
        places[f"{kind}, at the leaseholder"] = first
        places[f"{kind}, at another node"] = second
    figures = Alternating(bench, places, lambda server: claim(server, requests))
    for name in places:
        part = "" if name == "Redis" else f", {figures.median(name) / figures.median('Redis'):.2f}"
        report.add(f"{name}{part and part + ' of Redis'}", thousands(figures.median(name)))


def forwarding(bench, report):
    """What a command costs that arrives at another node than the leaseholder."""
    report.section(
        "Forwarding", f"redis-benchmark, {CONNECTIONS} connections, leased `INCR` of "
        f"{KEYSPACE:,} keys at another of three nodes, beside the leaseholder; "
        "medians of alternating runs.")
    first, second, _ = leader_first(bench.starling(3))
    places = {"leaseholder": first, "another": second}
    for pipeline, least in LEAST.items():
        requests = (30_000 if pipeline == 1 else 300_000) // (3 if bench.quick else 1)
        figures = Alternating(
            bench, places,
            lambda node: requests_a_second(node, pipeline, requests, KEYSPACE, ("-t", "incr")))
        there, here = figures.median("another"), figures.median("leaseholder")
        what = (f"INCR, pipeline {pipeline}: {thousands(there)} by the leaseholder's "
                f"{thousands(here)}")
        if least is None:
            report.add(what, ratio(there / here))
        else:
            report.at_least(what, there / here, least, ratio)
