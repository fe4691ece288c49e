#!/usr/bin/env python3
"""`./dev bench`: measures against redis-server and the targets, prints and writes the report.

    run.py --build build/release --report build/bench/report.md [--quick] [--only WORD]
           [SECTION ...]

A figure that misses its target is reported, not an error: whether it matters is for the reader.
"""

import argparse
import pathlib
import sys

import servers  # noqa: F401: sets the path to cluster-test's harness
import collection_memory
import collection_throughput
import in_process
import leaderless
import locks
import memory
import orders
import throughput
import visibility
from report import Report

SECTIONS = {
    "in-process": in_process.measure,
    "throughput": throughput.compare,
    "three-nodes": throughput.three_nodes,
    "collections": collection_throughput.compare,
    "memory": memory.measure,
    "collection-memory": collection_memory.measure,
    "visibility": visibility.measure,
    "failures": visibility.failures,
    "locks": locks.measure,
    "claims": orders.claims,
    "forwarding": orders.forwarding,
    "leaderless": leaderless.measure,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True, help="the build's folder")
    parser.add_argument("--report", type=pathlib.Path, required=True, help="file to write")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--only", default="", metavar="WORD",
                        help="of the collections, only what has WORD in its name")
    parser.add_argument("sections", nargs="*", metavar="SECTION",
                        help=f"of {', '.join(SECTIONS)} (default: all)")
    options = parser.parse_args()
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown section {', '.join(sorted(unknown))}")

    report = Report()
    for name in options.sections or SECTIONS:
        bench = servers.Bench(options.build, options.quick, options.only)
        try:
            SECTIONS[name](bench, report)
        finally:
            bench.close()
    report.write(options.report, options.quick)
    print(f"\nwritten to {options.report}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
