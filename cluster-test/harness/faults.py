"""What may happen to the nodes of a cluster: each fault is done, lasts, and is undone.

`Faults.run` does them one after the other; between two the cluster has a moment to itself. A
fault that is to outlast a lease lasts longer.
"""

import itertools
import time

from harness.lease import lease
from harness.resp import Disconnected, RespError
from harness.waiting import eventually

LASTS = 3.0      # seconds: longer than a lease
BETWEEN = 0.7
RECOVERY = 60.0  # within which the healed cluster is led


class Faults:
    def __init__(self, context, cluster, network=None):
        self.context, self.nodes, self.network = context, cluster.nodes, network

    def run(self, names):
        """Does the faults of these names, one after the other; after each somebody leads."""
        for name in names:
            began = time.monotonic()
            getattr(self, name)()
            healed = time.monotonic()
            self.leader()
            self.context.report(name.replace("_", " "), f"{healed - began:.1f} s, led "
                                f"{time.monotonic() - healed:.1f} s later")
            time.sleep(BETWEEN)

    def leader(self):
        """The node that leads, with a majority behind it."""
        def found():
            return next((node for node in self.nodes if serves(node)), None)
        return eventually("somebody leads", found, RECOVERY)

    def others(self):
        """The nodes that do not lead, the leader last."""
        leader = self.leader()
        return [node for node in self.nodes if node is not leader], leader

    # Processes.

    def kill_leader(self):
        self._kill(self.leader())

    def kill_another(self):
        self._kill(self.others()[0][0])

    def kill_two(self):
        others, leader = self.others()
        self._kill(leader, others[-1])

    def kill_all(self):
        self._kill(*self.nodes)

    def restart_leader(self):
        leader = self.leader()
        assert leader.stop() == 0
        time.sleep(LASTS / 2)
        leader.start()

    def pause_leader(self):
        self._pause(self.leader())

    def pause_two(self):
        others, leader = self.others()
        self._pause(leader, others[0])

    def _kill(self, *nodes):
        for node in nodes:
            node.kill()
        time.sleep(LASTS)
        for node in nodes:
            node.start(wait=False)
        for node in nodes:
            node.wait_ready()

    def _pause(self, *nodes):
        for node in nodes:
            node.pause()
        time.sleep(LASTS)
        for node in nodes:
            node.resume()

    # The network. Clients reach all nodes all the time.

    def isolate_leader(self):
        others, leader = self.others()
        self._apart([leader], others)

    def minority_with_leader(self):
        others, leader = self.others()
        half = len(self.nodes) // 2
        self._apart([leader, *others[:half - 1]], others[half - 1:])

    def minority_without_leader(self):
        others, leader = self.others()
        half = len(self.nodes) // 2
        self._apart(others[:half], [*others[half:], leader])

    def three_parts(self):
        """Nobody has a majority."""
        third = max(1, len(self.nodes) // 3)
        parts = [self.nodes[:third], self.nodes[third:2 * third], self.nodes[2 * third:]]
        self._cut([pair for one, other in itertools.combinations(parts, 2)
                   for pair in itertools.product(one, other)])

    def bridge_node(self):
        """One that does not lead hears all; the others hear nobody else."""
        bridge = self.others()[0][0]
        rest = [node for node in self.nodes if node is not bridge]
        self._cut(itertools.combinations(rest, 2))

    def bridge_between_halves(self):
        """Two halves that do not hear each other; one node hears both."""
        others, leader = self.others()
        bridge, rest = others[0], [leader, *others[1:]]
        half = len(rest) // 2
        self._apart(rest[:half], rest[half:])
        assert bridge not in rest

    def nobody_hears_leader(self):
        others, leader = self.others()
        self._mute([(leader, other) for other in others])

    def leader_hears_nobody(self):
        others, leader = self.others()
        self._mute([(other, leader) for other in others])

    def _apart(self, some, rest):
        self._cut(itertools.product(some, rest))

    def _cut(self, pairs):
        self._mute([way for one, other in pairs for way in ((one, other), (other, one))])

    def _mute(self, ways):
        ways = [(self._host(source), self._host(target)) for source, target in ways]
        for source, target in ways:
            self.network.mute(source, target)
        time.sleep(LASTS)
        for source, target in ways:
            self.network.unmute(source, target)

    def _host(self, node):
        return self.nodes.index(node) + 1


def serves(node):
    """Whether the node says that it leads and that a majority has acknowledged so."""
    if not node.running():
        return False
    try:
        fields = lease(node)
    except (OSError, Disconnected, RespError):
        return False
    return fields["leading"] == 1 and fields["majority-begun"] == 1
