"""Clients that go on whatever happens: each on a node at random, after a failure on another."""

import math
import random
import threading
import time

from harness.resp import Disconnected, RespError

# What a node may answer while it, or the leaseholder, is in trouble. Everything else is a failure.
TROUBLE = ("NOQUORUM", "NOLEADER", "UNKNOWN", "MISCONF")
PATIENCE = 3.0  # seconds that a worker waits for an answer before it goes elsewhere


class Worker(threading.Thread):
    """Runs `step(client)` again and again until it is told to stop; a failure is kept for `finish`.

    `chance`, of its own seed, is for the steps too. Its connection ends with trouble.
    """

    def __init__(self, nodes, seed):
        super().__init__(daemon=True)
        self.nodes, self.chance = nodes, random.Random(seed)
        self.failure, self.failed_at = None, math.inf
        self.troubles = 0
        self._over = threading.Event()
        self._client = None

    def step(self, client):
        raise NotImplementedError

    def over(self):
        return self._over.is_set()

    def run(self):
        try:
            while not self.over():
                self._once()
        except Exception as reason:  # told to whoever finishes it, in their thread
            self.failure, self.failed_at = reason, time.monotonic()
        finally:
            self._drop()

    def over_soon(self):
        self._over.set()

    def finish(self, timeout=60.0):
        self.over_soon()
        self.join(timeout)
        if self.failure:
            raise self.failure
        assert not self.is_alive(), f"{self.name} still runs"

    def _once(self):
        try:
            if self._client is None:
                self._client = self.chance.choice(self.nodes).client(timeout=PATIENCE, level=None)
            self.step(self._client)
        except RespError as error:
            if not str(error).startswith(TROUBLE):
                raise
            self._trouble()
        except (OSError, Disconnected):
            self._trouble()

    def _trouble(self):
        self.troubles += 1
        self._drop()
        time.sleep(0.02)

    def _drop(self):
        if self._client is not None:
            self._client.close()
            self._client = None
