#!/usr/bin/env python3
"""What `./dev run` starts: a cluster on this machine, until Ctrl-C.

Nodes answer on loopback at PORT, PORT+1, ...; their data stays in FOLDER for the next run. A node
that ends by itself, or that you kill to see what happens, leaves the others running.
"""

import argparse
import pathlib
import signal
import socket
import sys

from harness.cluster import Cluster
from harness.node import Node
from harness.waiting import TimedOut

GOSSIP_OFFSET = 10_000  # starlingd's own default


def port_taken(port):
    """Whether something listens on this port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def make_cluster(options):
    cluster = Cluster(options.starlingd, options.folder, 0, name="dev")
    cluster.nodes = [
        Node(options.starlingd, cluster.folder / f"node-{index + 1}", f"node-{index + 1}",
             cluster.options, port=options.port + index,
             gossip_port=options.port + index + GOSSIP_OFFSET)
        for index in range(options.nodes)]
    return cluster


def print_hints(cluster):
    ports = [node.port for node in cluster.nodes]
    print(f"\n{len(ports)} nodes of one cluster agree; their data is in {cluster.folder}\n")
    for node in cluster.nodes:
        print(f"  {node.name}  port {node.port}  pid {node.process.pid}  log {node.log_path}")
    print("\nType in another terminal:\n")
    print(f"  redis-cli -p {ports[0]} INCR visits")
    print(f"  redis-cli -p {ports[-1]} GET visits")
    print(f"  redis-cli -p {ports[0]} STARLING MEMBERS")
    print("\nCtrl-C ends them all.", flush=True)


class Ended(Exception):
    """The user, or whoever started us, wants the cluster to end."""


def end(*_):
    raise Ended


def watch(cluster):
    """Tells of nodes that end; returns when none is left."""
    while cluster.running():
        node = next((node for node in cluster.nodes if node.process and not node.running()), None)
        if node is None:
            signal.sigtimedwait([signal.SIGCHLD], 0.5)
            continue
        status = node.wait_exit()
        print(f"\n{node.name} ended with status {status}. Start it again with:\n\n  "
              f"{' '.join(node.command_line())}\n", flush=True)


def stop(cluster):
    """SIGTERM to all at once, so that none waits for another; kills who does not end."""
    for node in cluster.running():
        node.process.terminate()
    for node in cluster.running():
        try:
            node.stop()
        except AssertionError as reason:
            print(reason, file=sys.stderr)


def absolute(text):
    return pathlib.Path(text).resolve()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starlingd", required=True, type=absolute)
    parser.add_argument("--folder", required=True, type=absolute)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--port", type=int, default=6379)
    options = parser.parse_args()

    cluster = make_cluster(options)
    for node in cluster.nodes:
        for port in (node.port, node.gossip_port):
            if port_taken(port):
                print(f"port {port} is taken by another process (another ./dev run, or a Redis?); "
                      "choose others with --port", file=sys.stderr)
                return 1

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    try:
        cluster.start()
        print_hints(cluster)
        watch(cluster)
    except Ended:
        print("\nStopping.", flush=True)
    except (TimedOut, AssertionError) as reason:
        print(f"the cluster does not come up: {reason}", file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stop(cluster)
    return 0


if __name__ == "__main__":
    sys.exit(main())
