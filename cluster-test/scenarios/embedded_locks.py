"""Services that link starling share a lock: kill -9 and SIGSTOP lose no increment under it.

Four processes with embedded nodes meet in a folder, which votes, and wait for one lock in turn; a
file is incremented under it. Holders are killed, leaseholder or not, and stopped for longer than
lease and lock last: one that was stopped before it looks finds the lock lost and does not write,
one that was stopped after it has looked is told apart by its fencing token. The others go on (I3).
"""

import collections
import time

from harness.faults import LASTS
from harness.lease import LEASE_S
from harness.lock_workers import TTL, LockWorkers
from harness.waiting import eventually

WORKERS = 4
CALM = 3.0      # seconds
GOES_ON = 60.0  # within which the others have the lock: a lease and then its time to live fit in
SLACK = 4.0     # what a busy machine may add, while it runs


class Steps:
    def __init__(self, context):
        self.context = context
        self.workers = LockWorkers(context, WORKERS)
        self.refused = []  # tokens of those who wrote too late

    def leader(self):
        leader = self.workers.leader()
        return leader, [worker for worker in self.workers.each if worker is not leader]

    def calm(self):
        """While nothing fails all get the lock equally often: they wait in turn."""
        began = time.monotonic_ns()
        time.sleep(CALM)
        grants = [grant for grant in self.workers.grants() if grant.told > began]
        counts = collections.Counter(grant.worker for grant in grants)
        self.context.report("grants of each", sorted(counts.values()))
        for worker in self.workers.each:
            assert counts[worker.name] >= len(grants) / WORKERS / 2, f"{worker.name}: {counts}"

    def kill_holder(self, worker):
        """kill -9 of a process that holds the lock: it lapses, when its time is up."""
        token = worker.stop_when_holding("stop-after-look")
        worker.kill()
        self._others_go_on(worker, "after kill -9")
        kept, following = [grant for grant in self.workers.grants() if grant.token >= token][:2]
        assert kept.token == token
        assert following.told >= kept.asked + TTL * 1e9, f"{following} has the lock of {kept}"
        # It may have led.
        most = TTL + LEASE_S + SLACK + self.context.stalls.total(kept.asked / 1e9)
        assert following.told <= kept.asked + most * 1e9, f"{following} is long after {kept}"
        worker.start()
        self.workers.wait_progress([worker])

    def kill_anywhere(self):
        """kill -9 of each in turn, whatever it does just then."""
        for worker in self.workers.each:
            worker.kill()
            self._others_go_on(worker, "after kill -9 at any moment")
            worker.start()
        self.workers.wait_progress(self.workers.each)

    def stop_before_look(self, worker):
        token = self._stopped(worker, "stop-before-look")
        eventually("it is told that its lock is lost", lambda: worker.last("lost") == token)
        assert worker.last("late") == token and not worker.wrote(token)
        self.workers.wait_progress([worker])

    def stop_after_look(self, worker):
        token = self._stopped(worker, "stop-after-look")
        eventually("it writes all the same", lambda: worker.wrote(token))
        self.refused.append(token)
        self.workers.wait_progress([worker])

    def hold_long(self, worker):
        """Whoever holds it longer than its time to live keeps it: it is extended by itself."""
        before = len(self.workers.records())
        worker.tell("hold-long")

        def held():
            later = self.workers.records()[before:]
            return next(((one, two) for one, two in zip(later, later[1:])
                         if one.token == two.token), None)
        one, _ = eventually("a lock is held for long", held)
        assert one.worker == worker.name

    def _stopped(self, worker, order):
        """It stands still holding the lock, and runs again when others have had it."""
        token = worker.stop_when_holding(order)
        began = time.monotonic()
        self._others_go_on(worker, f"after SIGSTOP ({order})")
        time.sleep(max(0.0, began + LASTS - time.monotonic()))
        worker.resume()
        return token

    def _others_go_on(self, worker, what):
        began = time.monotonic()
        others = [other for other in self.workers.each if other is not worker]
        self.workers.wait_progress(others, GOES_ON)
        self.context.report(f"others have the lock {what}", f"{time.monotonic() - began:.1f} s")


def run(context):
    steps = Steps(context)
    steps.calm()
    for _ in range(3 if context.long else 1):
        steps.kill_holder(steps.leader()[0])
        steps.stop_before_look(steps.leader()[1][0])
        steps.stop_after_look(steps.leader()[0])
        if context.long:
            steps.kill_holder(steps.leader()[1][0])
            steps.kill_anywhere()
            steps.hold_long(steps.leader()[1][1])
            steps.stop_before_look(steps.leader()[0])
            steps.stop_after_look(steps.leader()[1][2])
            steps.calm()
    for worker in steps.workers.each:
        worker.finish()
    context.report("increments", steps.workers.check(steps.refused))
