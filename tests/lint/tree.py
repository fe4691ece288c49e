"""The files that lint rules look at: every text file of the project, read once.

A tree is rooted at a folder. Inside a git checkout it is what git would commit (ignored files are
left out); elsewhere, as in an unpacked archive or in the tests of these rules, it is every file
outside `build/` and hidden folders.
"""

import dataclasses
import functools
import pathlib
import subprocess


@dataclasses.dataclass(frozen=True)
class Finding:
    """One violation: where, and what would be right."""

    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}"


@dataclasses.dataclass(frozen=True)
class SourceFile:
    path: str  # relative to the root, with forward slashes
    text: str

    @functools.cached_property
    def lines(self):
        return self.text.splitlines()

    @property
    def folder(self):
        """The top-level folder, or "" at the root."""
        return self.path.split("/")[0] if "/" in self.path else ""

    @property
    def name(self):
        return self.path.rsplit("/", 1)[-1]

    @property
    def is_cpp(self):
        return self.path.endswith((".h", ".cc"))

    @property
    def is_code(self):
        """Written by hand and read line by line: not prose, data or configuration in JSON."""
        return (
            self.path.endswith((".h", ".cc", ".py", ".capnp", ".cmake", ".sh"))
            or self.name == "CMakeLists.txt"
            or self.text.startswith("#!")
        )

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.files = [file for file in map(self._read, self._paths()) if file is not None]

    def with_path(self, path):
        """The file at `path`, or None."""
        return next((file for file in self.files if file.path == path), None)

    def _paths(self):
        if (self.root / ".git").exists():
            listing = subprocess.run(
                ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
                 "--exclude-standard"],
                cwd=self.root, capture_output=True, text=True, check=True)
            return sorted(set(filter(None, listing.stdout.split("\0"))))
        found = (path.relative_to(self.root) for path in self.root.rglob("*") if path.is_file())
        return sorted(
            path.as_posix() for path in found
            if not any(part == "build" or part.startswith(".") for part in path.parts[:-1]))

    def _read(self, path):
        full = self.root / path
        if not full.is_file():  # deleted but not yet committed
            return None
        try:
            return SourceFile(path, full.read_text(encoding="utf-8"))
        except UnicodeDecodeError:  # binary, e.g. a fuzz corpus
            return None
