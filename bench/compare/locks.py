"""Taking and releasing a lock on three nodes: beside one redis-server, and beside etcd."""

import dataclasses
import json
import statistics

from harness.lease import wait_known, wait_leader
from report import microseconds, ratio
from servers import MEMORY, SYNCED, other_program, output_of, redis_program

CONTENDERS = 8
MOST_BY_REDIS = 3.0       # a pair at the leaseholder, the folder voting, by a pair of Redis
LEAST_FASTER = 3.0        # a pair of etcd by one with three named voters
LEAST_HAND_OVERS = 20.0   # pairs a second, contended, by etcd's
WARM_SECONDS = 0.3


@dataclasses.dataclass(frozen=True)
class Way:
    """A way to a lock: what the client sends, and to which nodes."""
    name: str
    kind: str
    nodes: tuple

    def run(self, bench, seconds, contenders):
        addresses = (f"{node.host}:{node.port}" for node in self.nodes)
        return json.loads(output_of(bench.build / "bin" / "starling_lock_load", self.kind, seconds,
                                    contenders, *addresses))


class Figures:
    """Runs of several ways in turn, so that a slow minute hits all; medians of each."""

    def __init__(self, bench, ways, contenders):
        rounds, seconds = (3, 0.5) if bench.quick else (7, 2.0)
        for way in ways:
            way.run(bench, WARM_SECONDS, contenders)
        self._runs = {way: [] for way in ways}
        for _ in range(rounds):
            for way, runs in self._runs.items():
                runs.append(way.run(bench, seconds, contenders))

    def median(self, way, what):
        return statistics.median(run[what] for run in self._runs[way])

    def add_pairs(self, report):
        for way in self._runs:
            report.add(f"{way.name}, p50 / p99 of a pair", self._two(way, "pair"))

    def add_hand_overs(self, report):
        for way in self._runs:
            report.add(f"{way.name}, pairs a second", f"{self.median(way, 'pairs_a_second'):,.0f}")
            report.add(f"{way.name}, hand-over p50 / p99, of {self.median(way, 'handed_over'):.0%}",
                       self._two(way, "hand_over"))

    def _two(self, way, what):
        return " / ".join(microseconds(self.median(way, f"{what}_{part}")) for part in
                          ("p50", "p99"))


def leader_first(cluster):
    """The nodes of a cluster of ours, who leads first, when all know that."""
    leader, _ = wait_leader(cluster.nodes)
    wait_known(cluster.nodes, leader)
    return leader, *(node for node in cluster.nodes if node is not leader)


def by_redis(bench, report):
    """Three nodes whose folder votes, and three named voters, beside one redis-server."""
    report.section(
        "Locks on three nodes, beside one redis-server",
        "`starling_lock_load`: `SET NX PX` and the compare-and-delete script by `EVALSHA`, the "
        "same client for all, each answer waited for; a pair is both. All servers run at once, "
        "`appendonly yes`, `appendfsync everysec`; medians of alternating runs. Contended: "
        f"{CONTENDERS} contenders of one lock; who asks (`SET NX`) asks again after 1 ms, who "
        "waits (`STARLING ACQUIRE`) is told. A hand-over is from sending the release until another "
        "holds it; beside it, how many of the pairs were handed over at all.")
    if redis_program() is None:
        report.add("redis-server is not installed", "not measured")
        return
    redis = Way("Redis", "asking", (bench.redis(),))
    folder = leader_first(bench.starling(3))
    named = leader_first(bench.starling(3, voters=True))
    at_leaseholder = Way("folder, at the leaseholder", "asking", folder[:1])
    named_first = Way("three voters, at the leaseholder", "asking", named[:1])
    ways = [redis, at_leaseholder, Way("folder, at another node", "asking", folder[1:2]),
            Way("folder, at the leaseholder, STARLING ACQUIRE", "waiting", folder[:1]),
            named_first, Way("three voters, at another node", "asking", named[1:2])]
    figures = Figures(bench, ways, 1)
    figures.add_pairs(report)
    base = figures.median(redis, "pair_p50")
    report.at_most(f"{at_leaseholder.name}: a pair by Redis's",
                   figures.median(at_leaseholder, "pair_p50") / base, MOST_BY_REDIS, ratio)
    report.add(f"{named_first.name}: a pair by Redis's",
               ratio(figures.median(named_first, "pair_p50") / base))
    Figures(bench, [
        dataclasses.replace(redis, name=f"{CONTENDERS} ask Redis"),
        Way(f"{CONTENDERS} ask the leaseholder, folder", "asking", folder[:1]),
        Way(f"{CONTENDERS} wait at the leaseholder, folder", "waiting", folder[:1]),
        Way(f"{CONTENDERS} wait at all nodes, folder", "waiting", folder),
        Way(f"{CONTENDERS} wait at all nodes, three voters", "waiting", named),
    ], CONTENDERS).add_hand_overs(report)


def by_etcd(bench, report):
    """Three named voters beside three etcd, both of which wait for the disk before they answer."""
    if other_program("etcd") is None:
        report.section("Locks on three nodes, beside etcd")
        report.add("etcd is not there (./dev bench provides it)", "not measured")
        return
    for place, within in (("on disk", None), ("in memory", MEMORY)):
        report.section(
            f"Locks on three nodes, beside three etcd, {place}",
            "etcd's lock API over its HTTP gateway on kept connections, at its leader, one lease "
            "for all of a contender's locks; beside it the same client with `SET NX PX` and "
            "`EVALSHA`, at the leaseholder of three named voters. The same durability: etcd "
            "syncs what it votes for before it answers, and so do ours with `appendfsync always`; "
            f"all folders {place}. Contended: {CONTENDERS} contenders spread over the nodes.")
        cluster = bench.etcd(3, within)
        leader = cluster.leader()
        others = tuple(node for node in cluster.nodes if node is not leader)
        ours = bench.starling(3, SYNCED, voters=True, within=within)
        named = leader_first(ours)
        theirs = Way("etcd", "etcd", (leader,))
        voters = Way("three voters", "asking", named[:1])
        figures = Figures(bench, [theirs, voters], 1)
        figures.add_pairs(report)
        report.at_least(
            f"etcd's pair by ours, {place}",
            figures.median(theirs, "pair_p50") / figures.median(voters, "pair_p50"),
            LEAST_FASTER, ratio)
        theirs = Way(f"{CONTENDERS} wait at three etcd", "etcd", (leader, *others))
        voters = Way(f"{CONTENDERS} wait at three nodes", "waiting", named)
        figures = Figures(bench, [theirs, voters], CONTENDERS)
        figures.add_hand_overs(report)
        report.at_least(
            f"our contended pairs a second by etcd's, {place}",
            figures.median(voters, "pairs_a_second") / figures.median(theirs, "pairs_a_second"),
            LEAST_HAND_OVERS, ratio)
        cluster.close()
        ours.close()


def measure(bench, report):
    by_redis(bench, report)
    bench.close()
    by_etcd(bench, report)
