"""What clients called and saw, recorded for starling_check_history."""

import subprocess
import threading
import time

from harness.resp import Disconnected, RespError

COMPARE_AND_DELETE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class History:
    """Operations of all clients of one run. Thread-safe."""

    def __init__(self):
        self._lines = []
        self._lock = threading.Lock()

    def add(self, key, kind, argument, result, called, returned, client):
        line = "\t".join(map(str, (key, kind, argument, result, called, returned, client)))
        with self._lock:
            self._lines.append(line)

    def __len__(self):
        return len(self._lines)

    def check(self, context):
        """Fails where no single copy could have answered so."""
        path = context.folder / "history.tsv"
        path.write_text("".join(line + "\n" for line in self._lines))
        checker = context.program.parent / "starling_check_history"
        done = subprocess.run([checker, path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        context.report("history", done.stdout.strip())


class RecordingClient:
    """A connection whose operations are recorded. An error that says UNKNOWN (or MISCONF: its
    log failed), or a lost connection, leaves an operation whose outcome is unknown; any other error
    one that was not run."""

    def __init__(self, history, client, number):
        self._history, self._client, self._number = history, client, number

    def close(self):
        self._client.close()

    def get(self, key):
        return self._run(key, "get", "-", ("GET", key), _text)

    def set(self, key, value):
        return self._run(key, "set", value, ("SET", key, value), _text)

    def set_if_absent(self, key, value, *options):
        return self._run(key, "set-if-absent", value, ("SET", key, value, "NX", *options), _text)

    def delete(self, key):
        return self._run(key, "delete", "-", ("DEL", key), str)

    def delete_if_equal(self, key, value):
        return self._run(key, "delete-if-equal", value,
                         ("EVAL", COMPARE_AND_DELETE, 1, key, value), str)

    def increment(self, key):
        return self._run(key, "increment", "-", ("INCR", key), str)

    def _run(self, key, kind, argument, words, show):
        called = time.monotonic_ns()
        try:
            reply = self._client.call(*words)
            result = show(reply)
        except RespError as error:
            if not str(error).startswith(("UNKNOWN", "MISCONF")):
                raise
            reply, result = error, "?"
        except Disconnected:
            self._history.add(key, kind, argument, "?", called, time.monotonic_ns(), self._number)
            raise
        self._history.add(key, kind, argument, result, called, time.monotonic_ns(), self._number)
        return reply


def _text(reply):
    if reply is None:
        return "-"
    return reply if isinstance(reply, str) else reply.decode()
