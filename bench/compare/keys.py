"""A million rate-limit counters with a time to live, as services make them, and their loading."""

import socket
import threading

KEYS = 1_000_000
CHUNK = 2_000
TTL_SECONDS = 3600


def key(number):
    """`rl:{ip}:{user}:{path}`; bench/workload.cc makes the same keys."""
    return (f"rl:10.{number >> 16 & 255:03}.{number >> 8 & 255:03}.{number & 255:03}"
            f":user{number:07}:/api/v1/orders")


def load(node, first=0, last=KEYS):
    """INCR and EXPIRE of keys first..last-1 at one node, pipelined; returns when all are answered.

    As inline commands: the quickest that Python can make.
    """
    with socket.create_connection((node.host, node.port)) as connection:
        for start in range(first, last, CHUNK):
            stop = min(start + CHUNK, last)
            names = map(key, range(start, stop))
            request = "".join(
                f"INCR {name}\r\nEXPIRE {name} {TTL_SECONDS}\r\n" for name in names)
            sender = threading.Thread(target=connection.sendall, args=(request.encode(),))
            sender.start()
            missing = 2 * (stop - start)
            while missing:
                answer = connection.recv(1 << 16)
                if not answer or b"-" in answer:
                    raise AssertionError(f"{node.name} answered {answer[:200]!r}")
                missing -= answer.count(b"\n")
            sender.join()
