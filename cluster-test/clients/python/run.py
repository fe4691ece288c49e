#!/usr/bin/env python3
"""run.py --servers HOST:PORT,... [--seed N] [PART ...]: what services do with redis-py.

Every connection goes to one of the servers at random. Ends with 1 when a part failed.
"""

import argparse
import random
import sys
import time
import traceback

import redis

import commands
import locks

PARTS = {part.__name__: part for part in (*commands.PARTS, *locks.PARTS)}


class Target:
    """The servers under test. What it opens it closes."""

    def __init__(self, servers, seed):
        self._servers = [server.rpartition(":") for server in servers.split(",")]
        self._random = random.Random(seed)
        self._clients = []

    def client(self, **options):
        """A redis-py client with its defaults, to a server at random."""
        host, _, port = self._random.choice(self._servers)
        client = redis.Redis(host=host, port=int(port), **{"decode_responses": True, **options})
        self._clients.append(client)
        return client

    def close(self):
        for client in self._clients:
            client.close()
            client.connection_pool.disconnect()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--servers", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("parts", nargs="*", metavar="PART")
    options = parser.parse_args()
    status = 0
    for name in options.parts or PARTS:
        target = Target(options.servers, options.seed)
        began = time.monotonic()
        try:
            PARTS[name](target)
            print(f"{name.replace('_', ' ')}: {(time.monotonic() - began) * 1000:.0f} ms",
                  flush=True)
        except Exception:
            print(f"{name}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
            status = 1
        finally:
            target.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
