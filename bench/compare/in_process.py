"""The hot paths in process, by Google Benchmark."""

import json

from report import millions
from servers import output_of

# benchmark: calls a second on one thread
TARGETS = {
    "CounterAdd/real_time": 50e6,
    "KvOverAMillionKeys/read/real_time": 1.5e6,
    "KvOverAMillionKeys/write/real_time": 1.5e6,
}


def measure(bench, report):
    report.section("In process, one thread", "`starling_bench`; medians of repetitions.")
    text = output_of(
        bench.build / "bin" / "starling_bench", "--benchmark_format=json",
        f"--benchmark_repetitions={3 if bench.quick else 5}",
        f"--benchmark_min_time={0.1 if bench.quick else 0.5}")
    for result in json.loads(text)["benchmarks"]:
        name = result["run_name"]
        if result.get("error_occurred"):
            report.add(name, result["error_message"])
        elif result.get("aggregate_name") == "median":
            rate = result["items_per_second"]
            if name in TARGETS:
                report.at_least(name, rate, TARGETS[name], millions)
            else:
                report.add(name, millions(rate))
