"""Workers whose operations on claims, and on keys of level `majority`, are recorded.

Whatever fails, one copy of each key could have answered so (I3, I4).
"""

import time

from harness.history import RecordingClient
from harness.resp import Disconnected, RespError
from harness.workers import Worker

MAJORITY = "m:*=majority"  # --level for the keys that are no claims
FOR_LONG = ("PX", 600_000)  # nothing lapses: a history knows no time
AT_ONCE = 2  # keys of each kind


class ClaimWorker(Worker):
    """Takes and releases locks, counts on claims, writes and reads at `majority`. The keys change
    every second, so that no history of one key gets long."""

    def __init__(self, nodes, seed, history, number):
        super().__init__(nodes, seed)
        self.history, self.number = history, number
        self.turns = 0
        self._doubtful = []  # (key, token): whether we hold it is unknown

    def step(self, client):
        recorded = RecordingClient(self.history, client, self.number)
        self.turns += 1
        self._settle(recorded)
        suffix = f"{int(time.monotonic())}:{self.chance.randrange(AT_ONCE)}"
        self.chance.choice((self._lock, self._count, self._write))(recorded, suffix)
        time.sleep(0.005)

    def _lock(self, recorded, suffix):
        key, token = f"lock:{suffix}", f"{self.number}.{self.turns}"
        try:
            reply = recorded.set_if_absent(key, token, *FOR_LONG)
        except Disconnected:
            self._doubtful.append((key, token))
            raise
        if reply is None:
            recorded.get(key)
            return
        if isinstance(reply, RespError):
            self._doubtful.append((key, token))
            raise reply
        self._doubtful.append((key, token))
        self._settle(recorded)

    def _settle(self, recorded):
        """Gives back what may be held; not knowing, it asks again another time."""
        while self._doubtful:
            reply = recorded.delete_if_equal(*self._doubtful[0])
            if isinstance(reply, RespError):
                raise reply
            self._doubtful.pop(0)

    def _count(self, recorded, suffix):
        key = f"count:{suffix}"
        # Answered OK or nil, there is a claim for sure, and it counts at `majority`.
        if isinstance(recorded.set_if_absent(key, 0, *FOR_LONG), RespError):
            return
        for _ in range(3):
            recorded.increment(key)
        recorded.get(key)

    def _write(self, recorded, suffix):
        key = f"m:{suffix}"
        self.chance.choice((lambda: recorded.get(key), lambda: recorded.increment(key),
                            lambda: recorded.increment(key), lambda: recorded.delete(key)))()


class HitWorker(Worker):
    """Increments one ordinary counter, and knows what it was told and what it sent."""

    def __init__(self, nodes, seed, key="hits"):
        super().__init__(nodes, seed)
        self.key = key
        self.sent = self.acknowledged = 0

    def step(self, client):
        count = 5
        self.sent += count
        replies = client.pipeline([("INCR", self.key)] * count)
        self.acknowledged += sum(isinstance(reply, int) for reply in replies)
        for reply in replies:
            if isinstance(reply, RespError):
                raise reply
        time.sleep(0.01)
