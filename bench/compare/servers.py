"""The servers that are measured: starlingd, alone or as a cluster, and Debian's redis-server."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "cluster-test"))

from harness.cluster import Cluster  # noqa: E402: the path must be set before
from harness.node import Node  # noqa: E402
from etcd import Etcd  # noqa: E402

DURABILITY = ["--appendonly", "yes", "--appendfsync", "everysec"]
SYNCED = ["--appendonly", "yes", "--appendfsync", "always"]
MEMORY = "/dev/shm"


class Redis(Node):
    """redis-server behind the same interface as a node of ours."""

    def command_line(self, extra=()):
        return [self.program, "--port", str(self.port), "--bind", self.host, "--dir",
                str(self.folder), "--save", "", *DURABILITY, *extra]

    def client(self, timeout=10.0, level=None):
        return super().client(timeout, level=None)


def other_program(name):
    """The path of a program that is compared with, or None; ./dev bench keeps some for itself."""
    return shutil.which(name, path=f"{os.environ['PATH']}:{ROOT / 'build' / 'tools'}")


def redis_program():
    """The path of redis-server, or None."""
    return other_program("redis-server")


class Bench:
    """Where the measured programs are, and folders and processes that end with it."""

    def __init__(self, build, quick, only=""):
        self.build = pathlib.Path(build).resolve()
        self.quick = quick
        self._only = only.lower()
        self._cleanup = contextlib.ExitStack()

    @property
    def starlingd(self):
        return self.build / "bin" / "starlingd"

    def wants(self, name):
        """Whether what is called `name` is to be measured (--only)."""
        return self._only in name.lower()

    def folder(self, within=None):
        """A new folder on the disk of temporary files, or in the folder `within`."""
        return pathlib.Path(self._cleanup.enter_context(tempfile.TemporaryDirectory(
            prefix="starling-bench-", dir=within, ignore_cleanup_errors=True)))

    def redis(self):
        server = Redis(redis_program(), self.folder() / "redis", "redis", gossip_port=1)
        self._cleanup.callback(lambda: server.kill() if server.process else None)
        return server.start()

    def starling(self, size=1, options=DURABILITY, voters=False, within=None):
        """A started cluster of `size` nodes, which elect by their folder, or by named `voters`; its
        folders are made as by folder()."""
        cluster = Cluster(self.starlingd, self.folder(within), size, options, seeds=voters)
        self._cleanup.callback(cluster.close)
        return cluster.start()

    def etcd(self, size, within=None):
        """A started cluster of etcd, each of whose answers waits until the disk has it."""
        cluster = Etcd(other_program("etcd"), self.folder(within), size)
        self._cleanup.callback(cluster.close)
        return cluster.start()

    def close(self):
        self._cleanup.close()


def output_of(*line):
    return subprocess.run([str(word) for word in line], check=True, capture_output=True,
                          text=True).stdout
