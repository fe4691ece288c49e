"""Locks, claims and counters in use while nodes fail, and what must hold of them whatever failed.

Eight workers, each on a node at random, increment a plain file under a lock; others take locks,
count on claims and write at `majority`, and their history is checked for linearizability key by
key; others increment a counter. I2, I3, I4.
"""

import itertools
import random
import time

from harness.claim_workers import MAJORITY, ClaimWorker, HitWorker
from harness.faults import Faults
from harness.file_workers import FileWorker, SharedFile
from harness.history import History
from harness.waiting import eventually

OPTIONS = ("--on-unreachable", "refuse", "--level", MAJORITY)
LONG_S = 60  # what the faults last in the long form, at least
FILE_WORKERS, CLAIM_WORKERS, HIT_WORKERS = 8, 4, 2


class Ordeal:
    def __init__(self, context, cluster, network=None):
        self.context, self.cluster = context, cluster
        self.faults = Faults(context, cluster, network)
        self.shared, self.history = SharedFile(context.folder), History()
        context.on_close(self.shared.close)
        seed = random.randrange(1 << 30)
        context.report("seed of the workers", seed)
        seeds = (seed + index for index in range(100))
        nodes = cluster.nodes
        self._hits = [HitWorker(nodes, next(seeds)) for _ in range(HIT_WORKERS)]
        self._files = [FileWorker(nodes, next(seeds), self.shared) for _ in range(FILE_WORKERS)]
        self._claims = [ClaimWorker(nodes, next(seeds), self.history, number)
                        for number in range(CLAIM_WORKERS)]

    def run(self, faults):
        """Does the faults while all work, then checks everything. In the long form it begins with
        the first one again until a minute is over."""
        self.faults.leader()
        workers = [*self._files, *self._claims, *self._hits]
        for worker in workers:
            worker.start()
        time.sleep(0.5)
        try:
            end = time.monotonic() + (LONG_S if self.context.long else 0)
            if self._go_through(faults, end, workers):
                self._wait_for_progress()
        finally:
            for worker in workers:
                worker.over_soon()
        # The first failure is the cause of others.
        for worker in sorted(workers, key=lambda each: each.failed_at):
            worker.finish()
        self._check()

    def _go_through(self, faults, end, workers):
        """Each of them, and then again until that time; False: a worker has failed."""
        for number, fault in enumerate(itertools.cycle(faults)):
            if any(worker.failure for worker in workers):
                return False
            if number >= len(faults) and time.monotonic() >= end:
                return True
            if callable(fault):
                fault()
            else:
                self.faults.run([fault])

    def _wait_for_progress(self):
        """Locks can be taken again, by all who want to."""
        before = self.shared.increments
        eventually("the file is incremented again",
                   lambda: self.shared.increments > before + 20, 30)

    def _check(self):
        report = self.context.report
        report("increments of the file", f"{self.shared.increments}, longest pause "
               f"{self.shared.longest_pause():.1f} s, {len(self.shared.grants)} grants")
        self.shared.check()
        self.history.check(self.context)
        self.cluster.wait_agreed()
        sent = sum(worker.sent for worker in self._hits)
        acknowledged = sum(worker.acknowledged for worker in self._hits)

        def counted():
            hits = [int(node.call("GET", "hits")) for node in self.cluster.nodes]
            return len(set(hits)) == 1 and acknowledged <= hits[0] <= sent and hits[0]
        hits = eventually(f"hits is from {acknowledged} to {sent} everywhere", counted, 30)
        report("increments of a counter", f"{acknowledged} <= {hits} <= {sent}")
        self.cluster.wait_converged()
