"""A backup, restored into a new folder, holds what it held, and writes on as a new incarnation."""


def run(context):
    cluster = context.cluster(2)
    one, two = cluster.nodes
    with one.client() as client:
        client.pipeline([("INCR", f"counter:{number % 100}") for number in range(5000)])
        client.call("SADD", "set", "a", "b")
    cluster.wait_converged()
    backup = context.folder / "backup"
    one.call("STARLING", "BACKUP", str(backup))
    before = cluster.wait_converged()
    one.call("INCR", "counter:0")  # after the backup: only the cluster has it
    cluster.wait_same(b"51", "GET", "counter:0")

    one.kill()
    restored = context.adopt(cluster.make_node("n1-restored"))
    restored.name = one.name
    restored.start(["--restore", str(backup)])
    cluster.nodes[0] = restored
    cluster.wait_agreed()
    cluster.wait_same(b"51", "GET", "counter:0")  # the peers still have what the backup lacks
    assert restored.call("INCR", "counter:0") == 52
    cluster.wait_same(b"52", "GET", "counter:0")
    after = cluster.wait_converged()
    assert {**before, b"counter:0": b"52"} == after
