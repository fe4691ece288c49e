"""A small disk under a folder: a tmpfs, that can be filled. Needs mounts of the scenario's own,
which come with `NEEDS_NETWORK`."""

import pathlib
import subprocess


class Disk:
    def __init__(self, context, folder, size):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
        context.on_close(lambda: subprocess.run(["umount", "--lazy", folder], check=True))
        self._filler = pathlib.Path(folder) / "filler"

    def fill(self):
        with open(self._filler, "wb", buffering=0) as filler:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        filler.write(b"x" * size)
                except OSError:  # no space left on device
                    pass

    def make_room(self):
        self._filler.unlink()
