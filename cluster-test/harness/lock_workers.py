"""Services with an embedded node that increment a file under a lock, and what must be in that file.

Each is a process of `starling_lock_worker` (lock_worker.cc says what it does and prints). They meet
through a folder; nothing here listens on a port that anybody has to know.
"""

import collections
import os
import pathlib
import re
import signal
import subprocess
import tempfile

from harness.node import LEASH
from harness.waiting import eventually

TTL = 2.0  # seconds: more than a busy machine keeps a holder from writing after it has looked
RECORD = 64

Grant = collections.namedtuple("Grant", "told asked token worker")
Record = collections.namedtuple("Record", "token number worker")


class LockWorker:
    """One of them, with its folder and what it has printed in all its lives."""

    def __init__(self, group, name):
        self.group, self.name = group, name
        self.folder = group.folder / name
        self.folder.mkdir()
        self.log_path = self.folder.with_suffix(".log")
        self.out_path = self.folder.with_suffix(".out")
        self.process = None
        self._life_begins = 0  # in its log

    def start(self):
        group = self.group
        self._life_begins = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log, open(self.out_path, "ab") as out:
            self.process = subprocess.Popen(
                [*LEASH, str(group.program), "--name", self.name, "--folder", str(self.folder),
                 "--meeting-folder", str(group.in_memory / "meeting"), "--file", str(group.file),
                 "--ttl", str(int(TTL * 1000))],
                stdin=subprocess.PIPE, stdout=out, stderr=log, process_group=0)
        return self

    def tell(self, order):
        self.process.stdin.write(f"{order}\n".encode())
        self.process.stdin.flush()

    def said(self):
        """[word, ...] of each line that it has printed."""
        lines = self.out_path.read_text().split("\n") if self.out_path.exists() else [""]
        return [line.split() for line in lines[:-1]]

    def last(self, what):
        """The token of the last line that begins with this word; None: there is none."""
        return next((int(words[1]) for words in reversed(self.said()) if words[0] == what), None)

    def wrote(self, token):
        """Whether it says that it has appended a record with this token."""
        return any(words[:2] == ["wrote", str(token)] for words in self.said())

    def stop_when_holding(self, order):
        """Has it stop itself when it holds the lock next; returns the token, once it stands."""
        before = self.last("stopping")
        self.tell(order)

        def stands():
            token = self.last("stopping")
            return token if token != before and self._state() == "T" else None
        return eventually(f"{self.name} stops holding the lock", stands)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """SIGKILL: no last words."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process = None

    def finish(self, timeout=90.0):
        """Lets it end as a service does."""
        self.process.stdin.close()
        assert self.process.wait(timeout) == 0, f"{self.name}: {self.log_path.read_text()[-1000:]}"
        self.process = None

    def epoch(self):
        """That of the last lease which its node has taken in this life; 0: none."""
        log = self.log_path.read_bytes()[self._life_begins:].decode(errors="replace")
        return max(map(int, re.findall(r"event=lease_taken epoch=(\d+)", log)), default=0)

    def _state(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        return status.rpartition(")")[2].split()[0]


class LockWorkers:
    """Some of them, their meeting folder and their file, both in memory where that can be had."""

    def __init__(self, context, size):
        self.program = context.program.parent / "starling_lock_worker"
        self.folder = context.folder
        in_memory = tempfile.TemporaryDirectory(
            dir="/dev/shm" if os.path.isdir("/dev/shm") else context.folder)
        context.on_close(in_memory.cleanup)
        self.in_memory = pathlib.Path(in_memory.name)
        self.file = self.in_memory / "file"
        self.file.touch()
        self.each = [LockWorker(self, f"w{index + 1}") for index in range(size)]
        for worker in self.each:
            context.on_close(worker.kill)
        for worker in self.each:
            worker.start()
        self.wait_progress(self.each)

    def records(self):
        """All that was appended to the file, in its order."""
        data = self.file.read_bytes()
        lines = (data[at:at + RECORD].decode() for at in range(0, len(data), RECORD))
        return [Record(int(line[:20]), int(line[21:31]), line[32:].strip()) for line in lines]

    def grants(self):
        """All grants of the lock, in the order in which they were told."""
        return sorted(Grant(int(words[2]), int(words[1]), int(words[3]), worker.name)
                      for worker in self.each for words in worker.said() if words[0] == "granted")

    def leader(self):
        """Who has taken the lease last; all of them run."""
        return max(self.each, key=LockWorker.epoch)

    def wait_progress(self, workers, timeout=60.0):
        """Until each of them has incremented the file again, several times."""
        before = len(self.records())

        def progress():
            later = collections.Counter(record.worker for record in self.records()[before:])
            return all(later[worker.name] >= 3 for worker in workers)
        eventually(f"{[worker.name for worker in workers]} increment the file", progress, timeout)

    def check(self, refused):
        """No increment lost, one holder at a time; `refused`: the tokens that came too late."""
        highest, number, seen = 0, 0, []
        for record in self.records():
            if record.token < highest:
                seen.append(record.token)
                continue
            assert record.number == number + 1, f"{record} comes after number {number}"
            highest, number = record.token, record.number
        assert sorted(seen) == sorted(refused), f"{seen} were refused by their token, not {refused}"
        self._check_wrote(number, len(seen))
        self._check_grants()
        return number

    def _check_wrote(self, number, refused):
        """What a worker says that it wrote is in the file; one that is killed may not say it."""
        records = {(record.token, record.number) for record in self.records()}
        wrote = {(int(words[1]), int(words[2]))
                 for worker in self.each for words in worker.said() if words[0] == "wrote"}
        assert wrote <= records, f"{wrote - records} are not in the file"
        assert len(records) == number + refused, "an increment was written twice"

    def _check_grants(self):
        """Whoever asks after a token was told gets a greater one."""
        told = self.grants()
        highest, position = 0, 0
        for grant in sorted(told, key=lambda each: each.asked):
            while told[position].told < grant.asked:
                highest = max(highest, told[position].token)
                position += 1
            assert grant.token > highest, f"{grant} after {highest}"
        tokens = [grant.token for grant in told]
        assert len(set(tokens)) == len(tokens), "two were given one token"
