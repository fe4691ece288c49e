"""Workers that increment a plain file under a lock of the cluster, as users of locks do.

Who holds the lock reads the file and writes it increased, if by its own monotonic clock it still
holds the lock for sure. So no increment is lost as long as the lock has one holder (I3); and each
writes its fencing token beside the number: tokens that fall back are seen there.
"""

import os
import struct
import tempfile
import threading
import time

from harness.history import COMPARE_AND_DELETE
from harness.resp import Disconnected, RespError
from harness.workers import Worker

TTL = 2.0     # seconds
MARGIN = 0.7  # of them, in which a holder no longer writes: it may be held up before each step


class SharedFile:
    """A file with a number and the fencing token of who wrote it, and what must be in it.

    It is in memory where that can be had: a disk that is busy with what else the machine does may
    hold a write up for a second, longer than any holder can be sure of its lock.
    """

    def __init__(self, folder):
        in_memory = "/dev/shm" if os.path.isdir("/dev/shm") else folder
        self._file = tempfile.TemporaryFile(dir=in_memory, buffering=0)
        self.write(0, 0)
        self.increments = 0
        self.grants = []  # (asked, told, fence) of all that were granted the lock
        self.written = []  # when
        self.inside = []   # (name, fence, held until): who is at the file
        self.counted = threading.Lock()

    def read(self):
        return struct.unpack("<qq", os.pread(self._file.fileno(), 16, 0))

    def write(self, number, fence):
        os.pwrite(self._file.fileno(), struct.pack("<qq", number, fence), 0)

    def close(self):
        self._file.close()

    def enter(self, name, fence, held_until):
        """Somebody holds the lock, at least until then: nobody else does."""
        with self.counted:
            now = time.monotonic()
            others = [other for other in self.inside if other[2] > now]
            entered = (name, fence, held_until)
            self.inside.append(entered)
        assert not others, f"two hold the lock at {now}: {entered} and {others}"
        return entered

    def leave(self, entered):
        with self.counted:
            self.inside.remove(entered)

    def check(self):
        number, _ = self.read()
        assert number == self.increments, f"{self.increments} increments gave {number}"
        highest = 0
        told = sorted(self.grants, key=lambda grant: grant[1])
        position = 0
        for asked, _, fence in sorted(self.grants):
            while told[position][1] < asked:
                highest = max(highest, told[position][2])
                position += 1
            assert fence > highest, f"fencing token {fence} after {highest}"

    def longest_pause(self):
        return max((later - sooner for sooner, later in zip(self.written, self.written[1:])),
                   default=0.0)


class FileWorker(Worker):
    def __init__(self, nodes, seed, shared, lock="file:lock"):
        super().__init__(nodes, seed)
        self.shared, self.lock = shared, lock
        self.turns = 0

    def step(self, client):
        self.turns += 1
        token = f"{self.name}:{self.turns}"
        asked = time.monotonic()
        if client.call("SET", self.lock, token, "NX", "PX", int(TTL * 1000)) is None:
            time.sleep(self.chance.uniform(0.001, 0.005))
            return
        try:
            holder, fence = self._said(client)
            if holder != token:
                return  # it has lapsed before we could ask
            with self.shared.counted:
                self.shared.grants.append((asked, time.monotonic(), fence))
            if time.monotonic() < asked + TTL - MARGIN:
                self._increment(fence, asked + TTL)
        finally:
            try:
                client.call("EVAL", COMPARE_AND_DELETE, 1, self.lock, token)
            except (RespError, Disconnected):
                self.troubles += 1  # it lapses

    def _said(self, client):
        """Who holds the lock, and the fencing token: of one moment."""
        replies = client.pipeline([("MULTI",), ("GET", self.lock),
                                   ("STARLING", "FENCE", self.lock), ("EXEC",)])
        for reply in replies:
            if isinstance(reply, RespError):
                raise reply
        holder, fence = replies[3]
        return (None, 0) if holder is None else (holder.decode(), int(fence))

    def _increment(self, fence, held_until):
        entered = self.shared.enter(self.name, fence, held_until)
        try:
            number, last = self.shared.read()
            time.sleep(self.chance.uniform(0, 0.002))  # another holder would come in between
            if time.monotonic() >= held_until - MARGIN:
                return
            assert fence > last, f"fencing token {fence} comes after {last}"
            self.shared.write(number + 1, fence)
            assert time.monotonic() < held_until, f"a write was held up for more than {MARGIN} s"
            with self.shared.counted:
                self.shared.increments += 1
                self.shared.written.append(time.monotonic())
        finally:
            self.shared.leave(entered)
