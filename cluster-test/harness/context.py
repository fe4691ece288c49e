"""What a scenario is given: the program, a folder, and things that are cleaned up after it."""

import contextlib
import pathlib

from harness.cluster import Cluster
from harness.node import Node
from harness.stalls import Stalls
from harness.waiting import Skip  # noqa: F401, as scenarios know it


class Context:
    def __init__(self, program, folder, long=False):
        self.program = pathlib.Path(program).resolve()
        self.folder = pathlib.Path(folder)
        self.long = long
        self._cleanup = contextlib.ExitStack()
        self.stalls = Stalls()
        self._cleanup.callback(self.stalls.close)

    def cluster(self, size, options=(), name="test", start=True, seeds=False):
        """A cluster of `size` nodes that see each other alive (where `start`). `seeds`: they find
        each other by a list, and have named voters."""
        cluster = Cluster(self.program, self.folder / name, size, options, name, seeds)
        self._cleanup.callback(cluster.close)
        return cluster.start() if start else cluster

    def node(self, name, options=(), **settings):
        """A single node that is not started yet."""
        node = Node(self.program, self.folder / name, name, options, **settings)
        self.adopt(node)
        return node

    def adopt(self, node):
        """Has `node` killed when the scenario is over."""
        self._cleanup.callback(lambda: node.kill() if node.process else None)
        return node

    def on_close(self, call):
        self._cleanup.callback(call)

    @staticmethod
    def report(what, figure):
        print(f"  {what}: {figure}", flush=True)

    def logs(self):
        """The end of every node's log, for a failure's report."""
        for path in sorted(self.folder.rglob("*.log")):
            if path.with_suffix("").is_dir():  # a node's log lies beside its folder
                yield path.relative_to(self.folder), path.read_text(errors="replace")[-3000:]

    def close(self):
        self._cleanup.close()
