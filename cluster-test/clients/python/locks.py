"""redis-py's Lock: taken, extended, released by its owner only, lapsing, under contention."""

import threading
import time

from redis.exceptions import LockError, LockNotOwnedError

from commands import refused

WORKERS = 8
ROUNDS = 15


def redis_py_lock(target):
    one = target.client().lock("pylock:a", timeout=10)
    two = target.client().lock("pylock:a", timeout=10, blocking=False)
    assert one.acquire()
    assert not two.acquire()
    assert two.locked() and one.owned() and not two.owned()
    assert one.extend(10, replace_ttl=False) and one.reacquire()
    assert one.extend(5, replace_ttl=True)
    one.release()
    refused(LockError, "unlocked lock", one.release)
    assert two.acquire()
    two.release()


def redis_py_lock_lapses(target):
    late = target.client().lock("pylock:b", timeout=0.1)
    waiter = target.client().lock("pylock:b", timeout=10, sleep=0.005, blocking_timeout=10)
    assert late.acquire()
    began = time.monotonic()
    assert waiter.acquire()
    waited = time.monotonic() - began
    assert waited < 5, f"a lock of 0.1 s lapsed after {waited:.1f} s"
    refused(LockNotOwnedError, "no longer owned", late.extend, 1)
    refused(LockNotOwnedError, "no longer owned", late.release)
    assert waiter.owned(), "who has lost the lock has taken it from its holder"
    waiter.release()


def redis_py_lock_contended(target):
    shared = {"value": 0, "inside": 0}
    failures = []

    def work(client):
        try:
            for _ in range(ROUNDS):
                with client.lock("pylock:c", timeout=20, sleep=0.002):
                    shared["inside"] += 1
                    assert shared["inside"] == 1, "two hold the lock"
                    value = shared["value"]
                    client.get("pylock:anything")  # others may come in between, if they can
                    shared["value"] = value + 1
                    shared["inside"] -= 1
        except BaseException as reason:
            failures.append(reason)
    threads = [threading.Thread(target=work, args=(target.client(),)) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    assert shared["value"] == WORKERS * ROUNDS, shared


PARTS = (redis_py_lock, redis_py_lock_lapses, redis_py_lock_contended)
