"""How soon a write on one node is read on the others, and how soon a failure is noticed."""

import re
import subprocess
import sys
import threading
import time

from report import milliseconds, percentile, seconds
from servers import ROOT

P99_TARGETS = {"quiet": 0.001, "moderate load": 0.003}
LOAD_PER_NODE = 5_000  # increments a second
LOAD_STEP = 0.002


class Load:
    """A steady stream of increments at every node, until closed."""

    def __init__(self, nodes):
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(node,)) for node in nodes]
        for thread in self._threads:
            thread.start()

    def _run(self, node):
        batch = int(LOAD_PER_NODE * LOAD_STEP)
        number = 0
        with node.client() as client:
            due = time.monotonic()
            while not self._stop.is_set():
                client.pipeline([("INCR", f"load:{(number + i) % 10_000}") for i in range(batch)])
                number += batch
                due += LOAD_STEP
                self._stop.wait(max(0.0, due - time.monotonic()))

    def close(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def visibility(cluster, writes):
    """Seconds from sending a SET to one node until each other one answers with it."""
    writer, *readers = (node.client() for node in cluster.nodes)
    took = []
    for number in range(writes):
        value = str(number).encode()
        began = time.perf_counter()
        writer.call("SET", "probe", value)
        waiting = list(readers)
        while waiting:
            for reader in list(waiting):
                if reader.call("GET", "probe") == value:
                    took.append(time.perf_counter() - began)
                    waiting.remove(reader)
        time.sleep(0.001 * (number % 5))  # not in step with any timer of the nodes
    for client in (writer, *readers):
        client.close()
    return took


def measure(bench, report):
    report.section(
        "Visibility on the other nodes",
        "From sending `SET` to one of three nodes until another answers `GET` with it; the client "
        "asks in turn, so its own round trips are included. Moderate load: "
        f"{LOAD_PER_NODE:,} increments a second on each node.")
    cluster = bench.starling(3)
    writes = 500 if bench.quick else 3000
    visibility(cluster, 100)  # warm
    for condition, target in P99_TARGETS.items():
        load = Load(cluster.nodes) if condition != "quiet" else None
        took = visibility(cluster, writes)
        if load:
            load.close()
        report.add(f"{condition}, median", milliseconds(percentile(took, 50)))
        report.at_most(f"{condition}, p99", percentile(took, 99), target, milliseconds)
    cluster.close()


def failures(bench, report):
    """By the scenario of cluster-test that takes the same times, in network namespaces."""
    report.section("Failures noticed", "From the failure until both other nodes list the member as "
                   "dead; the worst of all rounds.")
    targets = {"killed process": 1.0, "silent host": 3.0}
    worst = dict.fromkeys(targets, 0.0)
    for _ in range(1 if bench.quick else 5):
        run = subprocess.run(
            [sys.executable, str(ROOT / "cluster-test" / "run.py"), "--starlingd",
             str(bench.starlingd), "failures_noticed"], capture_output=True, text=True)
        if run.returncode != 0:
            report.add("failures_noticed", (run.stdout.strip().splitlines() or ["failed"])[-1])
            return
        for what in targets:
            found = re.search(rf"{what} known dead.*: ([0-9.]+) s", run.stdout)
            worst[what] = max(worst[what], float(found.group(1)))
    for what, target in targets.items():
        report.at_most(what, worst[what], target, seconds)
