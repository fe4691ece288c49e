#!/usr/bin/env python3
"""Runs scenarios with real starlingd processes.

    run.py --starlingd PROGRAM [--long] [SCENARIO ...]     all scenarios, or those named
    run.py --list                                          their names and what each proves

The program may also be named by the environment variable STARLINGD. Ends with 1 when a scenario
failed, with 77 when all that were asked for had to be skipped.
"""

import argparse
import importlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import traceback

from harness.context import Context, Skip
from harness.network import NotPermitted, enter_private_namespaces

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77


def scenario_names():
    names = (path.stem for path in (HERE / "scenarios").glob("*.py"))
    return sorted(name for name in names if name != "__init__")


def run_here(name, program, long):
    """Runs one scenario in this process; returns an exit status."""
    began = time.monotonic()
    scenario = importlib.import_module(f"scenarios.{name}")
    if getattr(scenario, "NEEDS_NETWORK", False):
        try:
            enter_private_namespaces([sys.executable, *sys.argv])
        except NotPermitted as reason:
            print(f"SKIPPED {name}: no network namespaces here: {reason}", flush=True)
            return SKIPPED
    with tempfile.TemporaryDirectory(prefix="starling-cluster-test-") as folder:
        context = Context(program, folder, long)
        try:
            scenario.run(context)
        except Skip as reason:
            print(f"SKIPPED {name}: {reason}", flush=True)
            return SKIPPED
        except Exception:
            traceback.print_exc()
            for path, text in context.logs():
                print(f"--- {path}\n{text}")
            print(f"FAILED  {name} after {time.monotonic() - began:.1f} s", flush=True)
            return 1
        finally:
            context.close()
    print(f"passed  {name} in {time.monotonic() - began:.1f} s", flush=True)
    return 0


def run_each(names, program, long):
    """Runs each scenario in a process of its own (some move into namespaces)."""
    results = {}
    for name in names:
        print(f"{name}:", flush=True)
        line = [sys.executable, __file__, "--starlingd", program, name]
        results[name] = subprocess.run(line + ["--long"] * long).returncode
    failed = [name for name, status in results.items() if status not in (0, SKIPPED)]
    skipped = [name for name, status in results.items() if status == SKIPPED]
    print(f"{len(names) - len(failed) - len(skipped)} passed, {len(skipped)} skipped, "
          f"{len(failed)} failed {' '.join(failed)}")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starlingd", default=os.environ.get("STARLINGD"), metavar="PROGRAM",
                        help="the daemon to test (default: $STARLINGD)")
    parser.add_argument("--long", action="store_true", help="the long forms")
    parser.add_argument("--list", action="store_true", help="print the scenarios and end")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    options = parser.parse_args()
    if options.list:
        for name in scenario_names():
            text = importlib.import_module(f"scenarios.{name}").__doc__
            print(f"{name:24} {text.splitlines()[0]}")
        return 0
    unknown = set(options.scenarios) - set(scenario_names())
    if unknown:
        parser.error(f"unknown scenario {', '.join(sorted(unknown))}; see --list")
    if not options.starlingd or not os.access(options.starlingd, os.X_OK):
        parser.error(f"--starlingd {options.starlingd}: no such program; ./dev build makes it")
    if len(options.scenarios) == 1:
        return run_here(options.scenarios[0], options.starlingd, options.long)
    return run_each(options.scenarios or scenario_names(), options.starlingd, options.long)


if __name__ == "__main__":
    sys.exit(main())
