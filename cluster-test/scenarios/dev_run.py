"""`./dev run`: starts, says what to type next, ends by Ctrl-C, and finds its data again."""

import pathlib
import random
import re
import signal
import subprocess
import sys

from harness.resp import Client
from local_cluster import GOSSIP_OFFSET, port_taken

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "local_cluster.py"


def start(context, port):
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), "--starlingd", str(context.program), "--nodes", "3",
         "--port", str(port), "--folder", str(context.folder / "run")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    context.on_close(process.kill)
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            return process, said
    raise AssertionError(f"ended with {process.wait()}:\n{said}")


def interrupt(process):
    process.send_signal(signal.SIGINT)
    said = process.stdout.read()
    assert process.wait(60) == 0, said


def ports_for_three():
    """The first of three ports in a row that are free, like those that follow them by 10000.

    Below the range from which the kernel gives ports to connections.
    """
    while True:
        port = random.randrange(10_000, 22_000)
        if not any(port_taken(port + index + offset)
                   for index in range(3) for offset in (0, GOSSIP_OFFSET)):
            return port


def run(context):
    port = ports_for_three()
    process, said = start(context, port)
    assert re.search(rf"redis-cli -p {port}\b", said), said
    for offset in range(3):
        with Client("127.0.0.1", port + offset) as client:
            assert client.call("INCR", f"visits:{offset}") == 1

    second = subprocess.run(
        [sys.executable, str(SCRIPT), "--starlingd", str(context.program), "--port", str(port),
         "--folder", str(context.folder / "other")], capture_output=True, text=True, timeout=60)
    assert second.returncode != 0 and str(port) in second.stderr, second

    interrupt(process)
    process, _ = start(context, port)
    with Client("127.0.0.1", port + 2) as client:
        assert client.call("INCR", "visits:2") == 2, "the second run has lost the first one's data"
    interrupt(process)
