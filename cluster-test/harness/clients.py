"""Clients of Redis as their authors published them: installed, and run against servers.

Those for Node come from npm, by the lockfile, into the build's folder; redis-py is Debian's. What
cannot be had is a failure that says so.
"""

import os
import pathlib
import shutil
import subprocess
import sys

CLIENTS = pathlib.Path(__file__).resolve().parents[1] / "clients"
DESCRIPTION = ("package.json", "package-lock.json", ".npmrc")
INSTALL_SECONDS = 120
RUN_SECONDS = 120


class Clients:
    """Everything under clients/, ready to run. Installs what is missing in `folder`, once for each
    lockfile."""

    def __init__(self, folder):
        self._modules = install_node_packages(pathlib.Path(folder))
        self._python = python_with_redis()

    def run(self, servers, seed):
        """Runs all parts in both languages against `servers` ("host:port"), each connection to one
        of them at random; returns what they said. Fails with what they said."""
        return (self.run_node(servers, seed) +
                self._run([self._python, CLIENTS / "python" / "run.py",
                           *self._arguments(servers, seed)]))

    def run_node(self, servers, seed, parts=()):
        """The same of these parts for Node; of all where none is named."""
        return self._run(["node", CLIENTS / "javascript" / "run.js",
                          *self._arguments(servers, seed), *parts])

    @staticmethod
    def _arguments(servers, seed):
        return ["--servers", ",".join(servers), "--seed", str(seed)]

    def _run(self, line):
        try:
            done = subprocess.run(line, capture_output=True, text=True, timeout=RUN_SECONDS,
                                  env=node_environment(self._modules), stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired as late:
            said = "".join((part or b"").decode() for part in (late.stdout, late.stderr))
            raise AssertionError(f"{line[1].name} hangs:\n{said}") from late
        assert done.returncode == 0, f"{line[1].name}:\n{done.stdout}{done.stderr}"
        return done.stdout


def node_environment(modules):
    """What a client's process gets: nothing by which a setting of the machine could change it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "NODE_PATH": str(modules), "PYTHONDONTWRITEBYTECODE": "1"}


def install_node_packages(folder):
    """The folder node_modules with exactly what the lockfile names."""
    for program in ("node", "npm"):
        assert shutil.which(program), f"{program} is not installed; ./dev test installs it"
    folder.mkdir(parents=True, exist_ok=True)
    modules = folder / "node_modules"
    wanted = b"".join((CLIENTS / name).read_bytes() for name in DESCRIPTION)
    installed = folder / "installed"
    if installed.exists() and installed.read_bytes() == wanted:
        return modules
    installed.unlink(missing_ok=True)
    for name in DESCRIPTION:
        shutil.copyfile(CLIENTS / name, folder / name)
    try:
        done = subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=folder, capture_output=True,
                              text=True, timeout=INSTALL_SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"npm ci: no end within {INSTALL_SECONDS} s") from late
    assert done.returncode == 0, f"npm ci cannot install the clients:\n{done.stderr[-3000:]}"
    installed.write_bytes(wanted)
    return modules


def python_with_redis():
    """A Python that has redis-py: this one, or Debian's."""
    for python in (sys.executable, "/usr/bin/python3"):
        probe = subprocess.run([python, "-c", "import redis"], capture_output=True)
        if probe.returncode == 0:
            return python
    raise AssertionError("redis-py (Debian's python3-redis) is not installed; ./dev test does it")
