"""Hosts in network namespaces, joined by a bridge, that can be cut from each other.

Everything is made inside a private network and mount namespace that `enter_private_namespaces`
moves this process into: it vanishes with the process, whatever happens, and touches nothing of the
machine. Works as root, or without where the kernel lets users create namespaces.

A cut is silent, as a lost cable is: packets leave for a hardware address that nobody has.
"""

import os
import pathlib
import subprocess
import uuid

ENTERED = "CLUSTER_TEST_NAMESPACES"
NOBODY = "02:00:00:00:00:fe"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class NotPermitted(Exception):
    """The machine does not let us create network namespaces; the text says why."""


def enter_private_namespaces(arguments):
    """Runs `arguments` again inside private namespaces, in place of this process.

    Returns where this process is in them already. Raises NotPermitted.
    """
    if os.environ.get(ENTERED):
        return
    unshare = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0:
        unshare += ["--user", "--map-root-user"]
    try:
        probe = subprocess.run([*unshare, "sh", "-c", "mount -t tmpfs tmpfs /run && "
                                "ip netns add probe && ip link add type veth"],
                               capture_output=True, text=True)
    except FileNotFoundError as missing:
        raise NotPermitted(str(missing)) from missing
    if probe.returncode != 0:
        raise NotPermitted(probe.stderr.strip())
    os.environ[ENTERED] = "1"
    os.execvp(unshare[0], [*unshare, *arguments])


class Network:
    """`size` hosts, 10.77.0.1 and on; this process reaches them all from 10.77.0.254.

    What runs on them knows by the kernel's boot id that it shares one machine. With `own_kernels`
    each host has a boot id of its own, as hosts have that really are apart.
    """

    def __init__(self, size, own_kernels=False):
        assert os.environ.get(ENTERED), "call enter_private_namespaces first"
        self.size, self.own_kernels = size, own_kernels
        _run("mount -t tmpfs tmpfs /run")
        _run("ip link set lo up")
        _run("ip link add bridge0 type bridge")
        _run("ip addr add 10.77.0.254/24 dev bridge0")
        _run("ip link set bridge0 up")
        for host in range(1, size + 1):
            _run(f"ip netns add host{host}")
            _run(f"ip link add port{host} type veth peer name eth0 netns host{host}")
            _run(f"ip link set port{host} master bridge0 up")
            self._inside(host, "ip link set lo up")
            self._inside(host, f"ip addr add {self.address(host)}/24 dev eth0")
            self._inside(host, "ip link set eth0 up")

    @staticmethod
    def address(host):
        return f"10.77.0.{host}"

    def launcher(self, host):
        """What to put before a program so that it runs on `host`."""
        line = ["ip", "netns", "exec", f"host{host}"]
        if not self.own_kernels:
            return line
        boot_id = pathlib.Path(f"/run/boot_id{host}")
        boot_id.write_text(f"{uuid.uuid4()}\n")
        return [*line, "sh", "-c", f'mount --bind "$0" {BOOT_ID} && exec "$@"', str(boot_id)]

    def cut(self, one, other):
        """Neither of the two hosts hears the other from now on."""
        self.mute(one, other)
        self.mute(other, one)

    def mute(self, source, target):
        """`target` does not hear `source` from now on."""
        self._inside(source, f"ip neigh replace {self.address(target)} lladdr {NOBODY} "
                             "dev eth0 nud permanent")

    def heal(self, one, other):
        self.unmute(one, other)
        self.unmute(other, one)

    def unmute(self, source, target):
        self._inside(source, f"ip neigh del {self.address(target)} dev eth0")

    def silence(self, host):
        """Nobody hears this host from now on, this process included."""
        _run(f"ip link set port{host} down")

    def unsilence(self, host):
        _run(f"ip link set port{host} up")

    def _inside(self, host, command):
        _run(f"ip netns exec host{host} {command}")


def _run(command):
    done = subprocess.run(command.split(), capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.stderr.strip()}")
