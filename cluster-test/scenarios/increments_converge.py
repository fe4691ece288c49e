"""Three nodes, 10,000 INCR of one key on each: 30,000 everywhere (I1, I2).

Once through redis-cli, as a person would do it, and once pipelined.
"""

import shutil
import subprocess

from harness.load import Incrementer, check_sum

EACH = 10_000


def run(context):
    cluster = context.cluster(3)
    writers = [Incrementer(node, "pipelined", EACH) for node in cluster.nodes]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.finish()
    value, _, _ = check_sum(cluster, "pipelined", writers)
    assert value == 3 * EACH, value

    if shutil.which("redis-cli") is None:
        context.report("through redis-cli", "not run: redis-cli is not installed")
        return
    processes = [
        subprocess.Popen(["redis-cli", "-p", str(node.port), "-r", str(EACH), "INCR", "typed"],
                         stdout=subprocess.DEVNULL)
        for node in cluster.nodes]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    cluster.wait_same(str(3 * EACH).encode(), "GET", "typed")
