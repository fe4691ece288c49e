"""A second process on the same folder is refused, and says which folder."""

import subprocess


def run(context):
    first = context.cluster(1).nodes[0]
    first.call("SET", "k", "v")
    second = context.adopt(context.cluster(1, start=False).nodes[0])
    second.folder = first.folder
    second.name = first.name
    run = subprocess.run(second.command_line(), capture_output=True, text=True, timeout=30)
    assert run.returncode != 0, "a second process took the folder"
    said = run.stdout + run.stderr
    assert str(first.folder) in said, said
    assert first.call("GET", "k") == b"v", "the first process was disturbed"
