"""Commands, pipelines, transactions and scripts; another connection sees what was answered."""

import threading

from redis.exceptions import NoScriptError, ResponseError, WatchError


def refused(error, text, call, *words):
    """Fails unless the call raises this error with this text."""
    try:
        call(*words)
    except error as reason:
        assert text in str(reason), reason
    else:
        raise AssertionError(f"was not refused with {text}")


def redis_py_commands(target):
    one, two = target.client(), target.client()
    assert one.set("py:text", "hello", ex=100) is True
    assert two.get("py:text") == "hello"
    assert two.set("py:text", "x", nx=True) is None
    assert 90 <= one.ttl("py:text") <= 100
    assert two.expire("py:text", 200, gt=True) == 1
    assert one.getex("py:text", persist=True) == "hello"
    assert two.ttl("py:text") == -1
    assert one.incr("py:n", 41) == 41 and two.decr("py:n") == 40
    assert one.incrbyfloat("py:n", 0.5) == 40.5
    assert two.mset({"py:a": 1, "py:b": 2}) and one.mget("py:a", "py:c", "py:b") == ["1", None, "2"]
    raw = target.client(decode_responses=False)
    assert raw.set("py:bytes", bytes(range(256))) and raw.get("py:bytes") == bytes(range(256))

    assert one.hset("py:hash", mapping={"name": "starling", "legs": 2}) == 2
    assert two.hgetall("py:hash") == {"name": "starling", "legs": "2"}
    assert two.hincrby("py:hash", "legs", 2) == 4 and one.hexists("py:hash", "legs")
    assert dict(one.hscan_iter("py:hash")) == {"name": "starling", "legs": "4"}

    assert one.rpush("py:list", "a", "b", "c") == 3
    assert two.lrange("py:list", 0, -1) == ["a", "b", "c"]
    assert two.linsert("py:list", "BEFORE", "b", "x") == 4 and one.lindex("py:list", 1) == "x"
    assert one.lmove("py:list", "py:list2", "LEFT", "RIGHT") == "a"
    taken = []
    waiting = threading.Thread(target=lambda: taken.append(two.blpop("py:jobs", 10)))
    waiting.start()
    one.rpush("py:jobs", "job")
    waiting.join()
    assert taken == [("py:jobs", "job")]

    assert one.sadd("py:set", "a", "b") == 2 and two.sismember("py:set", "a")
    assert two.smembers("py:set") == {"a", "b"}
    assert one.sdiff("py:set", "py:none") == {"a", "b"} and two.scard("py:set") == 2

    assert one.zadd("py:scores", {"a": 1, "b": 2.5}) == 2
    assert two.zrange("py:scores", 0, -1, withscores=True) == [("a", 1.0), ("b", 2.5)]
    assert one.zadd("py:scores", {"a": 9}, xx=True, gt=True, ch=True) == 1
    assert two.zrevrange("py:scores", 0, 0) == ["a"] and one.zpopmin("py:scores") == [("b", 2.5)]

    assert one.type("py:hash") == "hash"
    assert set(two.scan_iter("py:*", count=3)) >= {"py:hash", "py:list", "py:set", "py:scores"}
    refused(ResponseError, "WRONGTYPE", two.incr, "py:list")
    assert two.delete("py:a", "py:b", "py:none") == 2


def redis_py_pipelines(target):
    one, two = target.client(), target.client()
    with one.pipeline(transaction=False) as pipe:
        for number in range(1000):
            pipe.incr("pypipe:n")
        assert pipe.execute() == list(range(1, 1001))
    with two.pipeline(transaction=False) as pipe:
        pipe.set("pypipe:s", "x").incr("pypipe:s").get("pypipe:n")
        replies = pipe.execute(raise_on_error=False)
    assert replies[0] is True and isinstance(replies[1], ResponseError) and replies[2] == "1000"


def redis_py_transactions(target):
    one, two = target.client(), target.client()
    with one.pipeline() as pipe:
        assert pipe.set("pytx:a", 1).incr("pytx:a").hset("pytx:h", "f", 1).execute() == [True, 2, 1]
        pipe.watch("pytx:a")
        two.set("pytx:a", 10)
        pipe.multi()
        pipe.set("pytx:a", 3)
        refused(WatchError, "Watched", pipe.execute)
    assert two.get("pytx:a") == "10"

    def add(pipe):
        value = int(pipe.get("pytx:sum") or 0)
        pipe.multi()
        pipe.set("pytx:sum", value + 1)

    def work(client):
        for _ in range(20):
            client.transaction(add, "pytx:sum")
    threads = [threading.Thread(target=work, args=(target.client(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.get("pytx:sum") == "80", one.get("pytx:sum")


def redis_py_scripts(target):
    one, two = target.client(), target.client()
    assert one.eval("return {KEYS[1], ARGV[1], 3}", 1, "k", "v") == ["k", "v", 3]
    loaded = one.script_load("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert two.evalsha(loaded, 1, "pylua:n", 5) == 5
    assert one.script_exists(loaded, "0" * 40) == [True, False]
    refused(NoScriptError, "No matching script", two.evalsha, "0" * 40, 0)
    scripted = one.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)")
    assert scripted(keys=["pylua:n"], args=[2]) == 9
    assert scripted(keys=["pylua:n"], args=[1], client=two) == 11
    with two.pipeline() as pipe:
        scripted(keys=["pylua:n"], args=[1], client=pipe)
        pipe.get("pylua:n")
        assert pipe.execute() == [13, "13"]


PARTS = (redis_py_commands, redis_py_pipelines, redis_py_transactions, redis_py_scripts)
