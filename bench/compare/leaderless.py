"""For how long nobody orders commands when the leaseholder dies, or stands still."""

import selectors
import socket
import statistics
import threading
import time

from harness.lease import lease
from harness.resp import encode
from harness.waiting import eventually
from locks import leader_first
from report import milliseconds
from servers import DURABILITY

EVERY = 0.005  # a write of each writer, in seconds
TOLD_TARGET = 0.1   # the operating system reports the death
SILENT_TARGET = 1.0  # nothing reports it
LEASE = 0.8
SETTLED = LEASE + 0.5  # a voter that has just started votes a lease later
REFUSE = ["--on-unreachable", "refuse"]  # what is answered was ordered


class Writer(threading.Thread):
    """Begins a write through one node every few milliseconds, until closed, whether those before
    were answered or not: each on a connection that waits for nothing."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node = node
        self._request = encode(("INCR", f"by:{node.name}"))
        self._poll = selectors.DefaultSelector()
        self._free = []
        self._changed = threading.Condition()
        self._moment = self._answered = self._stalled = self._failure = None
        self._closed = threading.Event()
        self.start()

    def run(self):
        try:
            due = time.monotonic()
            while not self._closed.is_set():
                self._begin()
                due = max(due + EVERY, time.monotonic())
                while (left := due - time.monotonic()) > 0:
                    self._take_answers(left)
            while self._poll.get_map():
                self._take_answers(None)
        except OSError as reason:
            with self._changed:
                self._failure = reason
                self._changed.notify_all()
        finally:
            for key in list(self._poll.get_map().values()):
                key.fileobj.close()
            for connection in self._free:
                connection.close()

    def _begin(self):
        connection = self._free.pop() if self._free else socket.create_connection(
            (self.node.host, self.node.port))
        self._poll.register(connection, selectors.EVENT_READ, time.monotonic())
        connection.sendall(self._request)

    def _take_answers(self, wait):
        for key, _ in self._poll.select(wait):
            self._take(key.fileobj, key.data)

    def _take(self, connection, asked):
        answer = connection.recv(1000)
        if not answer.endswith(b"\r\n"):
            raise OSError(f"{self.node.name} answered {answer!r}")
        self._poll.unregister(connection)
        self._free.append(connection)
        with self._changed:
            if self._moment is None:
                return
            now = time.monotonic()
            self._stalled = max(self._stalled, now - asked)
            # An error, UNKNOWN or NOLEADER: not ordered, as far as anybody knows.
            if answer.startswith(b":") and self._answered is None and asked > self._moment:
                self._answered = now
                self._changed.notify_all()

    def mark(self, moment):
        """From now on a write counts that is sent after `moment`."""
        with self._changed:
            self._moment, self._answered, self._stalled = moment, None, 0.0

    def wait_answered(self, timeout=30.0):
        """Seconds from the marked moment until the first write that counts was answered."""
        with self._changed:
            self._changed.wait_for(lambda: self._answered or self._failure, timeout)
            if self._answered is None:
                raise AssertionError(f"{self.node.name} orders nothing: {self._failure}")
            return self._answered - self._moment

    def close(self):
        """Ends it when all are answered; the longest that one waited since the mark."""
        self._closed.set()
        self.join()
        return self._stalled


def one_gap(cluster, fail, restore):
    """Seconds from a failure of the leaseholder until both others order writes again, and until the
    last of those that it had been given is told that its outcome is unknown."""
    leader, *others = leader_first(cluster)
    eventually("its beginning is held", lambda: lease(leader)["majority-begun"] == 1)
    time.sleep(SETTLED)
    writers = [Writer(node) for node in others]
    try:
        for writer in writers:
            writer.mark(time.monotonic())
        for writer in writers:
            writer.wait_answered()
        moment = time.monotonic()
        for writer in writers:
            writer.mark(moment)
        fail(leader)
        gap = max(writer.wait_answered() for writer in writers)
    finally:
        stalled = max(writer.close() for writer in writers)
    restore(leader)
    cluster.wait_agreed()
    return gap, stalled


def measure(bench, report):
    rounds = 3 if bench.quick else 15
    report.section(
        "Time without a leaseholder",
        f"A write every {EVERY * 1000:.0f} ms through each of the two surviving nodes: from the "
        "failure of the leaseholder until both have an answer to one that was sent afterwards; and "
        "the longest that any write waited, whose answer may be that its outcome is unknown. "
        f"{rounds} rounds each, a lease apart. The operating system tells of a killed process; of "
        f"one that stands still nothing does, and its lease of {LEASE} s must lapse.")
    failures = (
        ("kill -9", TOLD_TARGET, lambda node: node.kill(), lambda node: node.start()),
        ("SIGSTOP", SILENT_TARGET, lambda node: node.pause(), lambda node: node.resume()))
    for kind, voters in (("folder", False), ("three voters", True)):
        cluster = bench.starling(3, [*DURABILITY, *REFUSE], voters=voters)
        for what, target, fail, restore in failures:
            found = [one_gap(cluster, fail, restore) for _ in range(rounds)]
            gaps, stalls = zip(*found)
            report.add(f"{what}, {kind}, median", milliseconds(statistics.median(gaps)))
            report.at_most(f"{what}, {kind}, worst", max(gaps), target, milliseconds)
            report.add(f"{what}, {kind}, longest wait of a write, worst", milliseconds(max(stalls)))
        cluster.close()
