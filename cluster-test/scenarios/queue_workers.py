"""Workers at all nodes wait for jobs; the leaseholder is killed and stopped meanwhile.

While one node leads, each job is taken once, by whoever has waited longest. A worker that waits is
served after a take-over too, without having asked again. No job is given to two workers; one that
was on its way to a worker when its leaseholder died may be lost with it, as with Redis.
"""

import threading
import time

from harness.resp import Disconnected, RespError
from harness.waiting import eventually

WORKERS = 6


class Worker(threading.Thread):
    def __init__(self, node):
        super().__init__(daemon=True)
        self.client = node.client(timeout=60, level=None)
        self.taken = []
        self.failure = None

    def run(self):
        try:
            while True:
                job = int(self.client.call("BLPOP", "jobs", 0)[1])
                if job < 0:
                    return
                self.taken.append(job)
        except Disconnected:
            pass  # its node was killed
        except Exception as reason:
            self.failure = reason


def leaseholder(cluster):
    """The node that answers as the leaseholder."""
    def find():
        for node in cluster.running():
            if "event=lease_taken" in node.log().rpartition("event=lease_lost")[2]:
                return node
        return None
    return eventually("somebody leads", find, 30)


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
    leader = leaseholder(cluster)
    eventually("all know it", lambda: all(
        node.call("SET", "probe", 1, level=None) for node in cluster.nodes), 10)
    time.sleep(0.5)
    others = [node for node in cluster.nodes if node is not leader]
    workers = [Worker(others[index % 2]) for index in range(WORKERS)]
    for worker in workers:
        worker.start()
    count = 3000 if context.long else 600
    push(others[0], range(count))
    eventually("all jobs are taken", lambda: sum(len(w.taken) for w in workers) == count, 30)

    began = time.monotonic()
    leader.kill()
    # Workers wait on; what is pushed now is theirs once somebody leads.
    push(others[1], range(count, 2 * count))
    context.report("first push after kill -9", f"{time.monotonic() - began:.2f} s")

    def all_taken():
        return sum(len(worker.taken) for worker in workers) >= 2 * count - WORKERS
    eventually("the jobs after the kill are taken", all_taken, 60)
    push(others[0], [-1] * WORKERS)
    for worker in workers:
        worker.join(30)
        assert not worker.is_alive(), "a worker waits although there is something to take"
        assert worker.failure is None, worker.failure
    taken = sorted(job for worker in workers for job in worker.taken)
    assert len(taken) == len(set(taken)), "a job was given to two workers"
    lost = 2 * count - len(taken)
    context.report("jobs lost on their way", lost)
    assert lost <= WORKERS
