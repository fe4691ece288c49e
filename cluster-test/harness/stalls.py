"""How long the machine stood still, as this process saw it.

A virtual machine whose host is busy stands still for seconds now and then, and all nodes with it: a
lease may lapse, and an answer is late by as much. What a scenario says of times, or of a lease that
nobody may lose, holds for a machine that runs.
"""

import threading
import time

TICK = 0.02   # seconds
LEAST = 0.1   # shorter ones are how threads take turns


class Stalls(threading.Thread):
    """Looks at the clock all the time; whenever it comes late, the machine stood still."""

    def __init__(self):
        super().__init__(daemon=True)
        self._stalls = []  # when each ended, and how long it was
        self._looked = time.monotonic()
        self._ended = threading.Event()
        self.start()

    def run(self):
        while not self._ended.wait(TICK):
            now = time.monotonic()
            late = now - self._looked - TICK
            if late > LEAST:
                self._stalls.append((now, late))
            self._looked = now

    def close(self):
        self._ended.set()

    def longest(self, since=0.0):
        """The longest one that ended after `since`, in seconds of time.monotonic(); the one that
        is just over, too."""
        return max(self._since(since), default=0.0)

    def total(self, since=0.0):
        """How long it stood still altogether since then."""
        return sum(self._since(since))

    def _since(self, since):
        now = time.monotonic()
        just_now = [(now, now - self._looked - TICK)] if now - self._looked > TICK + LEAST else []
        return [late for ended, late in [*self._stalls, *just_now] if ended > since]
