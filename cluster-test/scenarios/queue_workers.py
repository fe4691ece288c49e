"""Workers at all nodes wait for jobs, with whichever command; the leaseholder is killed meanwhile.

While one node leads, each job is taken once, by who was first to ask of those who wait: at any
node, by any of the commands that wait for a list. A worker that waits is served after a take-over
too, without having asked again. No job is given to two workers; one that was on its way to a worker
when its leaseholder died may be lost with it, as with Redis.
"""

import collections
import itertools
import threading
import time

from harness.lease import blocked, wait_known, wait_leader
from harness.resp import Disconnected, RespError
from harness.waiting import eventually

WORKERS = 6

# Requests that wait for a list, from which end they take, and where in the answer that stands.
TAKING = (
    (("BLPOP", "turns", 0), collections.deque.popleft, lambda answer: answer[1]),
    (("BRPOP", "turns", 0), collections.deque.pop, lambda answer: answer[1]),
    (("BLMOVE", "turns", "done", "LEFT", "RIGHT", 0), collections.deque.popleft,
     lambda answer: answer),
    (("BLMPOP", 0, 2, "none", "turns", "LEFT"), collections.deque.popleft,
     lambda answer: answer[1][0]),
)


class Worker(threading.Thread):
    def __init__(self, node):
        super().__init__(daemon=True)
        self.client = node.client(timeout=60, level=None)
        self.taken = []
        self.unknown = 0  # answers: each may have taken one
        self.failure = None

    def run(self):
        try:
            while self._take():
                pass
        except Disconnected:
            pass  # its node was killed
        except Exception as reason:
            self.failure = reason


    def _take(self):
        try:
            job = int(self.client.call("BLPOP", "jobs", 0)[1])
        except RespError as error:
            if not str(error).startswith("UNKNOWN"):
                raise
            self.unknown += 1
            return True
        if job >= 0:
            self.taken.append(job)
        return job >= 0


class Waiter(threading.Thread):
    """A client that asks once, and says when it was its turn."""

    def __init__(self, node, number, turns):
        super().__init__(daemon=True)
        self.client, self.number, self.turns = node.client(timeout=60, level=None), number, turns

    def run(self):
        request, _, element = TAKING[self.number % len(TAKING)]
        try:
            self.turns[self.number] = element(self.client.call(*request))
        except Exception as reason:  # seen in what it took
            self.turns[self.number] = reason
        finally:
            self.client.close()


def in_order(cluster, leader):
    """Each asks at the next node once the one before it is known to wait; then half of them are
    served one by one, and the others by one push, from which they take in their order."""
    turns = {}
    nodes = itertools.cycle(cluster.nodes)
    half = 2 * len(TAKING)
    for number in range(2 * half):
        Waiter(next(nodes), number, turns).start()
        eventually(f"{number + 1} wait", lambda: blocked(leader) == number + 1)
    for number in range(half):
        assert next(nodes).call("RPUSH", "turns", number, level=None) == 1
        eventually(f"number {number} is served", lambda: number in turns)
        assert turns == {each: b"%d" % each for each in range(number + 1)}, turns
    pushed = collections.deque(b"%d" % each for each in range(half))
    assert next(nodes).call("RPUSH", "turns", *pushed, level=None) == half
    eventually("all are served", lambda: len(turns) == 2 * half)
    for number in range(half, 2 * half):
        _, take, _ = TAKING[number % len(TAKING)]
        assert turns[number] == take(pushed), f"{number}: {turns}"
    assert blocked(leader) == 0


def push(node, jobs):
    """Adds jobs at a node; one whose outcome is unknown is not added again."""
    unknown = []
    with node.client(level=None) as client:
        for job in jobs:
            try:
                client.call("RPUSH", "jobs", job)
            except RespError as error:
                assert str(error).startswith("UNKNOWN"), error
                unknown.append(job)
    return unknown


def run(context):
    cluster = context.cluster(3, seeds=True)
    leader, _ = wait_leader(cluster.nodes, timeout=30)
    wait_known(cluster.nodes, leader)
    in_order(cluster, leader)
    others = [node for node in cluster.nodes if node is not leader]
    workers = [Worker(others[index % 2]) for index in range(WORKERS)]
    for worker in workers:
        worker.start()
    eventually("all of them wait", lambda: blocked(leader) == WORKERS)
    count = 3000 if context.long else 600
    _, epoch = wait_leader(cluster.nodes)
    unknown = len(push(others[0], range(count)))
    eventually("all jobs are taken",
               lambda: sum(len(w.taken) for w in workers) >= count - unknown)

    began = time.monotonic()
    leader.kill()
    # Workers wait on; what is pushed now is theirs once somebody leads.
    unknown += len(push(others[1], range(count, 2 * count)))
    context.report("first push after kill -9", f"{time.monotonic() - began:.2f} s")

    def at_most_lost():
        """Of who waits, what was taken for it last, each time another leads; and what is unknown to
        who pushed or took it."""
        _, now = wait_leader(cluster.running())
        return WORKERS * (now - epoch) + unknown + sum(worker.unknown for worker in workers)

    def all_taken():
        return sum(len(worker.taken) for worker in workers) >= 2 * count - at_most_lost()
    eventually("the jobs after the kill are taken", all_taken)
    push(others[0], [-1] * WORKERS)
    for worker in workers:
        worker.join(60)
        assert not worker.is_alive(), "a worker waits although there is something to take"
        assert worker.failure is None, worker.failure
    taken = sorted(job for worker in workers for job in worker.taken)
    assert len(taken) == len(set(taken)), "a job was given to two workers"
    lost = 2 * count - len(taken)
    context.report("jobs lost on their way", lost)
    assert lost <= at_most_lost()
