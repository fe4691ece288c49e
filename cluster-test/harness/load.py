"""Clients that increment one key, each at its own node, and count exactly what was answered."""

import threading

from harness.resp import Disconnected, RespError
from harness.waiting import eventually


class Incrementer(threading.Thread):
    """Increments `key` at `node` until `target` increments have been acknowledged.

    A lost connection is taken up again. `acknowledged` counts integer replies, `sent` all that may
    have been executed: the converged value lies between the two sums.
    """

    PIPELINE = 20

    def __init__(self, node, key, target):
        super().__init__(name=f"incrementer-{node.name}", daemon=True)
        self.node, self.key, self.target = node, key, target
        self.acknowledged = 0
        self.sent = 0
        self.failure = None
        self._progress = threading.Condition()

    def run(self):
        try:
            while self.acknowledged < self.target:
                self._once_connected()
        except Exception as reason:  # told to whoever joins, in their thread
            self.failure = reason

    def wait_acknowledged(self, count, timeout=120.0):
        with self._progress:
            done = self._progress.wait_for(
                lambda: self.acknowledged >= count or self.failure, timeout)
        assert done and not self.failure, f"{self.name}: {self.failure or 'too slow'}"

    def finish(self, timeout=120.0):
        self.join(timeout)
        assert not self.is_alive(), f"{self.name} still runs; {self.acknowledged} acknowledged"
        if self.failure:
            raise self.failure

    def _once_connected(self):
        client = eventually(f"{self.node.name} takes connections", self.node.client, 60)
        with client:
            while self.acknowledged < self.target:
                count = min(self.PIPELINE, self.target - self.acknowledged)
                self.sent += count
                try:
                    replies = client.pipeline([("INCR", self.key)] * count)
                except Disconnected as lost:
                    self._count(lost.replies)
                    return
                self._count(replies)

    def _count(self, replies):
        for reply in replies:
            if isinstance(reply, RespError):
                raise reply
        with self._progress:
            self.acknowledged += len(replies)
            self._progress.notify_all()


def check_sum(cluster, key, writers):
    """After all writers have finished: the value everywhere is one sum that counts exactly (I2)."""
    acknowledged = sum(writer.acknowledged for writer in writers)
    sent = sum(writer.sent for writer in writers)
    eventually(f"{key} counts what was acknowledged everywhere", lambda: all(
        int(node.call("GET", key)) >= acknowledged for node in cluster.running()), 60)
    value = int(cluster.wait_converged()[key.encode()])
    assert acknowledged <= value <= sent, (
        f"{key} is {value}; acknowledged {acknowledged}, sent {sent}")
    return value, acknowledged, sent
