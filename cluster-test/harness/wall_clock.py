"""Wall clocks of nodes that are wrong, and that jump: by Debian's libfaketime.

Only the wall clock: what a lease and a claim are timed by is left alone, as on real machines.
"""

import glob
import pathlib

LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"


def remove_leftovers(process_id):
    """What libfaketime keeps in memory for a process, and leaves there when that is killed."""
    for name in (f"faketime_shm_{process_id}", f"sem.faketime_sem_{process_id}"):
        pathlib.Path("/dev/shm", name).unlink(missing_ok=True)


class WallClock:
    """The wall clock of one node, started by `launcher`; a file says how far off it is."""

    def __init__(self, program, path, offset=0.0):
        found = glob.glob(LIBRARY)
        assert found, "libfaketime is not installed; ./dev test installs Debian's faketime"
        mended = program.parent / "starling_real_timerfd.so"
        assert mended.exists(), f"{mended} is not built"
        self._path = path
        self.put_off(offset)
        self.launcher = ["env", f"LD_PRELOAD={mended}:{found[0]}",
                         f"FAKETIME_TIMESTAMP_FILE={path}", "FAKETIME_NO_CACHE=1",
                         "FAKETIME_DONT_FAKE_MONOTONIC=1"]

    def put_off(self, seconds):
        """From now on the clock is so many seconds ahead of the machine's (negative: behind)."""
        part = self._path.with_suffix(".new")
        part.write_text(f"{seconds:+.3f}\n")
        part.replace(self._path)  # never seen half written
