"""Requests a second by redis-benchmark: starlingd beside redis-server, in turn, medians of each."""

import csv
import io
import statistics

from report import ratio, thousands
from servers import output_of, redis_program

COMMANDS = ("set", "get", "incr", "sadd")
# pipeline: (requests of one run, least ratio to Redis)
PIPELINES = {1: (120_000, 0.95), 16: (1_000_000, 1.3), 64: (2_000_000, 1.3)}
CONNECTIONS = 50
KEYSPACE = 100_000


def requests_a_second(node, pipeline, requests, keyspace, words):
    """Of one run of redis-benchmark with these last words."""
    text = output_of("redis-benchmark", "-h", node.host, "-p", node.port, "-P", pipeline, "-n",
                     requests, "-c", CONNECTIONS, "-r", keyspace, "--csv", *words)
    rows = [row for row in csv.reader(io.StringIO(text)) if row and row[0] != "test"]
    return float(rows[-1][1])


def run_once(node, command, pipeline, requests):
    return requests_a_second(node, pipeline, requests, KEYSPACE, ("-t", command))


def compare(bench, report):
    """One node alone against Redis; the pairs alternate, so that a slow minute hits both."""
    pairs = 3 if bench.quick else 7
    report.section(
        "Throughput of one node, beside redis-server",
        f"redis-benchmark, {CONNECTIONS} connections, {KEYSPACE:,} keys; both servers `appendonly "
        f"yes`, `appendfsync everysec`; medians of {pairs} alternating runs; the ratio is "
        "starling's median by Redis's.")
    if redis_program() is None:
        report.add("redis-server is not installed", "not measured")
        return
    redis, node = bench.redis(), bench.starling().nodes[0]
    for pipeline, (requests, least) in PIPELINES.items():
        if bench.quick:
            requests //= 3
        for command in COMMANDS:
            runs = {redis: [], node: []}
            for _ in range(pairs):
                for server, figures in runs.items():
                    figures.append(run_once(server, command, pipeline, requests))
            theirs, ours = (statistics.median(figures) for figures in runs.values())
            report.at_least(
                f"{command.upper()}, pipeline {pipeline}: "
                f"{thousands(ours)} by Redis's {thousands(theirs)}", ours / theirs, least, ratio)
    redis.kill()
    node.kill()


def three_nodes(bench, report):
    """The same load on one node of three, which the other two take part in: reported only."""
    report.section("Throughput of one of three nodes", "The other two receive every write, on the "
                   "same cores; without a target.")
    cluster = bench.starling(3)
    for pipeline, (requests, _) in PIPELINES.items():
        for command in COMMANDS:
            figure = run_once(cluster.nodes[0], command, pipeline, requests // 3)
            report.add(f"{command.upper()}, pipeline {pipeline}", thousands(figure))
    cluster.close()
