"""Services at three nodes see one Redis: whatever node they ask, while one node leads (I5).

Every INCR answers another number, a name set with NX has one winner, optimistic transactions lose
no update, scripts run whole, what one node was told another answers at once.
"""

import random
import threading

from harness.history import History, RecordingClient
from harness.lease import under_one_lease
from harness.resp import RespError
from harness.waiting import eventually

THREADS = 6
NAMES = 300


def has_leaseholder(node):
    """Whether the node knows a leaseholder: without one it refuses."""
    try:
        return node.call("SET", "probe", node.name, level=None) == "OK"
    except RespError as error:
        assert str(error).startswith("NOLEADER"), error
        return False


def run_all(work, clients):
    """`work(client, index)` on a thread each; returns what each returned."""
    results = [None] * len(clients)

    def one(index):
        try:
            results[index] = work(clients[index], index)
        except Exception as reason:  # told to whoever joins
            results[index] = reason
    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def optimistic_increment(client):
    while True:
        client.call("WATCH", "balance")
        value = int(client.call("GET", "balance") or 0)
        replies = client.pipeline([("MULTI",), ("SET", "balance", value + 1), ("EXEC",)])
        if isinstance(replies[2], RespError):
            raise replies[2]
        if replies[2] is not None:
            return


def unblock(node, pushes):
    """Who waits is taken back at the leaseholder, or reads what it was served."""
    waits, other = node.client(level=None), node.client(level=None)
    number = waits.call("CLIENT", "ID")

    def waiting():
        return b" flags=b " in other.call("CLIENT", "LIST", "ID", number)

    def unblock_then(pop):
        eventually("it waits", waiting)
        if pop:
            pop.start()
        return other.call("CLIENT", "UNBLOCK", number)
    for turn in range(20):
        element = str(turn).encode()
        pushing = threading.Thread(target=lambda: pushes.call("RPUSH", "elements", element))
        answer, unblocked = run_all(
            lambda work, _: work(),
            [lambda: waits.call("BLPOP", "elements", 0),
             lambda: unblock_then(pushing if turn % 2 else None)])
        if turn % 2:
            pushing.join()
        left = other.call("LPOP", "elements")
        assert unblocked in (0, 1) and (turn % 2 or unblocked), (turn, unblocked)
        expected = (None, element if turn % 2 else None) if unblocked else (
            [b"elements", element], None)
        assert (answer, left) == expected, (unblocked, answer, left)


def run(context):
    under_one_lease(context, lambda number: ask(context, f"turn-{number}"))


def ask(context, name):
    cluster = context.cluster(3, ["--on-unreachable", "refuse"], name, seeds=True)
    for node in cluster.nodes:
        eventually(f"{node.name} knows a leaseholder", lambda: has_leaseholder(node))
    clients = [cluster.nodes[index % 3].client(level=None) for index in range(THREADS)]
    each = 2000 if context.long else 300

    numbers = run_all(
        lambda client, _: [reply for _ in range(each // 10)
                           for reply in client.pipeline([("INCR", "ticket")] * 10)], clients)
    drawn = sorted(number for some in numbers for number in some)
    assert drawn == list(range(1, THREADS * each // 10 * 10 + 1)), "tickets doubled or left out"

    def claim(client, index):
        names = list(range(NAMES))
        random.Random(index).shuffle(names)
        return [name for name in names
                if client.call("SET", f"job:{name}", index, "NX", "EX", 300) == "OK"]
    won = [name for some in run_all(claim, clients) for name in some]
    assert sorted(won) == list(range(NAMES)), "a name had two winners, or none"

    turns = 60 if context.long else 20
    run_all(lambda client, _: [optimistic_increment(client) for _ in range(turns)], clients)
    for client in clients:
        assert int(client.call("GET", "balance")) == THREADS * turns, "an update was lost"

    for client in clients[:3]:  # transactions of nothing that has a key
        for commands in [], [("PING",)]:
            client.call("WATCH", "balance")
            replies = client.pipeline([("MULTI",), *commands, ("EXEC",)])
            assert replies[-1] == ["PONG"] * len(commands), replies
        client.call("WATCH", "balance")
        clients[3].call("INCR", "balance")
        assert client.pipeline([("MULTI",), ("EXEC",)])[-1] is None, "it was changed"

    script = "local n = redis.call('INCR', KEYS[1]); redis.call('RPUSH', KEYS[2], n); return n"
    run_all(lambda client, _: [client.call("EVAL", script, 2, "n", "list") for _ in range(50)],
            clients)
    expected = [str(number).encode() for number in range(1, THREADS * 50 + 1)]
    for client in clients:
        assert client.call("LRANGE", "list", 0, -1) == expected, "a script was not run whole"

    for node in cluster.nodes:
        unblock(node, clients[0])

    history = History()

    def mixed(client, index):
        recorded = RecordingClient(history, client, index)
        chance = random.Random(index)
        for _ in range(1000 if context.long else 150):
            key, value = f"mixed:{chance.randrange(3)}", chance.randrange(4)
            chance.choice([
                lambda: recorded.get(key), lambda: recorded.get(key),
                lambda: recorded.set(key, value), lambda: recorded.set_if_absent(key, value),
                lambda: recorded.delete(key), lambda: recorded.delete_if_equal(key, value),
                lambda: recorded.increment(f"mixed:{key}")])()
    run_all(mixed, clients)
    history.check(context)

    name = clients[0].call("SCRIPT", "LOAD", "return ARGV[1]")
    for client in clients:
        assert client.call("EVALSHA", name, 0, "known") == b"known", "a script is not known to all"
    # Nor only at the leaseholder.
    with cluster.nodes[2].client() as local:
        eventually("the script is known everywhere", lambda: local.call(
            "EVALSHA", name, 0, "here") == b"here")

    for index in range(100):
        clients[index % THREADS].call("SET", f"seen:{index}", index)
        other = clients[(index + 1) % THREADS]
        assert int(other.call("GET", f"seen:{index}")) == index, "an answered write was not seen"
    # What a node was answered it holds itself.
    for client in clients[:3]:
        client.call("SET", "own", "x")
        client.call("STARLING", "LEVEL", "local")
        assert client.call("GET", "own") == b"x"
