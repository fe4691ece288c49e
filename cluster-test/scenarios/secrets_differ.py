"""A node with another secret, or with none, is refused, and an error says why."""

from harness.waiting import eventually, holds_for


def run(context):
    right = context.folder / "right"
    wrong = context.folder / "wrong"
    right.write_text("the flock turns as one\n")
    wrong.write_text("the flock turns as two\n")
    for path in (right, wrong):
        path.chmod(0o600)

    cluster = context.cluster(2, ["--secret-file", str(right)])
    cluster.nodes[0].call("SET", "k", "v")
    cluster.wait_same(b"v", "GET", "k")
    base = ["--cluster", "test", "--expect", "3",
            "--join", ",".join(node.gossip_address for node in cluster.nodes)]
    for name, options in (("stranger", ["--secret-file", str(wrong)]), ("open", [])):
        intruder = context.node(name, base + options).start()
        eventually(f"{name}: an error speaks of the secret", lambda: any(
            "secret" in node.log() for node in (intruder, *cluster.nodes)))
        holds_for(f"{name} gets nothing", lambda: intruder.call("GET", "k") is None, 1)
        assert all(name not in node.members() for node in cluster.nodes), "it became a member"
        intruder.kill()
