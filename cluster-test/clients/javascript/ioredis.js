// What services do with ioredis, on all types; another connection sees what was answered.
'use strict';

const assert = require('node:assert/strict');

async function ioredis_commands(target) {
  const [one, two] = [target.ioredis(), target.ioredis()];

  assert.equal(await one.set('io:text', 'hello', 'EX', 100), 'OK');
  assert.equal(await two.get('io:text'), 'hello');
  assert.ok(await two.ttl('io:text') > 90);
  assert.equal(await one.append('io:text', ' world'), 11);
  assert.equal(await two.getrange('io:text', 6, -1), 'world');
  assert.equal(await one.set('io:text', 'x', 'KEEPTTL', 'GET'), 'hello world');
  assert.ok(await two.ttl('io:text') > 90);
  assert.equal(await one.persist('io:text'), 1);
  assert.equal(await two.ttl('io:text'), -1);
  assert.deepEqual(await two.mget('io:text', 'io:none'), ['x', null]);
  assert.equal(await one.mset({ 'io:a': 1, 'io:b': 2 }), 'OK');
  assert.equal(await two.incrby('io:a', 41), 42);
  assert.equal(await one.incrbyfloat('io:b', '0.5'), '2.5');
  assert.equal(await two.getset('io:a', '0'), '42');
  assert.equal(await one.getdel('io:a'), '0');
  assert.equal(await two.exists('io:a', 'io:b'), 1);
  assert.deepEqual(await one.getBuffer('io:b'), Buffer.from('2.5'));
  const bytes = Buffer.from([0, 13, 10, 255, 128]);
  await one.set('io:bytes', bytes);
  assert.deepEqual(await two.getBuffer('io:bytes'), bytes);

  assert.equal(await one.hset('io:hash', { name: 'starling', legs: 2 }), 2);
  assert.deepEqual(await two.hgetall('io:hash'), { name: 'starling', legs: '2' });
  assert.equal(await two.hincrby('io:hash', 'legs', 2), 4);
  assert.equal(await one.hsetnx('io:hash', 'name', 'crow'), 0);
  assert.deepEqual(await one.hmget('io:hash', 'legs', 'none'), ['4', null]);
  assert.equal(await two.hdel('io:hash', 'legs'), 1);
  assert.equal(await one.hlen('io:hash'), 1);

  assert.equal(await one.rpush('io:list', 'a', 'b', 'c'), 3);
  assert.equal(await two.lpush('io:list', 'z'), 4);
  assert.deepEqual(await one.lrange('io:list', 0, -1), ['z', 'a', 'b', 'c']);
  assert.equal(await two.lpop('io:list'), 'z');
  assert.equal(await one.rpoplpush('io:list', 'io:other'), 'c');
  assert.deepEqual(await two.lpos('io:list', 'b'), 1);
  assert.equal(await two.ltrim('io:list', 0, 0), 'OK');
  assert.equal(await one.llen('io:list'), 1);
  const waiting = two.blpop('io:jobs', 10);
  await one.rpush('io:jobs', 'job');
  assert.deepEqual(await waiting, ['io:jobs', 'job']);
  assert.equal(await two.blpop('io:jobs', 0.01), null);

  assert.equal(await one.sadd('io:set', 'a', 'b', 'c'), 3);
  assert.equal(await two.srem('io:set', 'a'), 1);
  assert.deepEqual((await two.smembers('io:set')).sort(), ['b', 'c']);
  await one.sadd('io:set2', 'c', 'd');
  assert.deepEqual(await two.sinter('io:set', 'io:set2'), ['c']);
  assert.equal(await one.sunionstore('io:union', 'io:set', 'io:set2'), 3);
  assert.deepEqual(await two.smismember('io:union', 'b', 'x'), [1, 0]);

  assert.equal(await one.zadd('io:scores', 1, 'a', 2, 'b', 3, 'c'), 3);
  assert.equal(await two.zincrby('io:scores', 5, 'a'), '6');
  assert.deepEqual(await one.zrange('io:scores', 0, -1, 'WITHSCORES'),
    ['b', '2', 'c', '3', 'a', '6']);
  assert.deepEqual(await two.zrangebyscore('io:scores', '(2', '+inf'), ['c', 'a']);
  assert.equal(await two.zrank('io:scores', 'a'), 2);
  assert.deepEqual(await one.zpopmax('io:scores'), ['a', '6']);
  assert.equal(await one.zremrangebyscore('io:scores', 0, 2), 1);

  assert.equal(await one.rename('io:b', 'io:c'), 'OK');
  assert.equal(await two.type('io:hash'), 'hash');
  await assert.rejects(two.incr('io:hash'), /^ReplyError: WRONGTYPE /);
  await assert.rejects(two.call('NOSUCH', 'x'), /^ReplyError: ERR unknown command/);
  const keys = [];
  for await (const found of one.scanStream({ match: 'io:*', count: 5 })) keys.push(...found);
  assert.ok(keys.includes('io:union') && keys.every((key) => key.startsWith('io:')));
  assert.equal(await two.unlink('io:union', 'io:set', 'io:set2'), 3);
}

async function ioredis_pipelines(target) {
  const [one, two] = [target.ioredis(), target.ioredis()];
  const results = await one.pipeline().set('pipe:a', 1).incr('pipe:a').lpush('pipe:a', 'x')
    .get('pipe:a').exec();
  assert.deepEqual(results.map(([error, reply]) => error?.message.split(' ')[0] ?? reply),
    ['OK', 2, 'WRONGTYPE', '2']);

  const large = two.pipeline();
  for (let i = 0; i < 2000; ++i) large.set(`pipe:${i}`, i);
  for (let i = 0; i < 2000; ++i) large.get(`pipe:${i}`);
  const replies = await large.exec();
  assert.ok(replies.every(([error]) => error === null));
  for (let i = 0; i < 2000; ++i) assert.equal(replies[2000 + i][1], String(i));

  const automatic = target.ioredis({ enableAutoPipelining: true });
  const numbers = await Promise.all(Array.from({ length: 500 }, () => automatic.incr('pipe:n')));
  assert.deepEqual(numbers, Array.from({ length: 500 }, (_, i) => i + 1));
}

async function ioredis_transactions(target) {
  const [one, two] = [target.ioredis(), target.ioredis()];
  assert.deepEqual(await one.multi().set('tx:a', 1).incr('tx:a').get('tx:a').exec(),
    [[null, 'OK'], [null, 2], [null, '2']]);

  await one.watch('tx:a');
  await two.set('tx:a', 10);
  assert.equal(await one.multi().set('tx:a', 3).exec(), null, 'the watched key was changed');
  assert.equal(await two.get('tx:a'), '10');
  await one.watch('tx:a');
  await one.unwatch();
  await two.incr('tx:a');
  assert.deepEqual(await one.multi().get('tx:a').exec(), [[null, '11']]);

  const failed = one.multi().set('tx:a', 5).call('NOSUCH');
  await assert.rejects(failed.exec(), /EXECABORT/);
  assert.equal(await two.get('tx:a'), '11');

  // Optimistic locking: no update is lost, whichever servers the four are connected to.
  const add = async (client, times) => {
    while (times > 0) {
      await client.watch('tx:sum');
      const value = Number(await client.get('tx:sum') ?? 0);
      if (await client.multi().set('tx:sum', value + 1).exec() !== null) --times;
    }
  };
  await Promise.all(Array.from({ length: 4 }, () => add(target.ioredis(), 20)));
  assert.equal(await one.get('tx:sum'), '80');
}

async function ioredis_scripts(target) {
  const [one, two] = [target.ioredis(), target.ioredis()];
  assert.equal(await one.eval('return redis.call("INCRBY", KEYS[1], ARGV[1])', 1, 'lua:n', 5), 5);
  assert.deepEqual(await two.eval('return {1, "two", false, {3}}', 0), [1, 'two', null, [3]]);
  await assert.rejects(two.eval('return redis.call("INCR")', 0), /Wrong number of args/);
  await assert.rejects(two.eval('return redis.error_reply("MINE own")', 0), /MINE own/);
  const loaded = await one.script('LOAD', 'return redis.call("GET", KEYS[1])');
  assert.equal(await two.evalsha(loaded, 1, 'lua:n'), '5', 'known wherever it is asked for');
  assert.deepEqual(await two.script('EXISTS', loaded, '0'.repeat(40)), [1, 0]);
  await assert.rejects(two.evalsha('0'.repeat(40), 0), /NOSCRIPT/);

  const lua = `local sum = redis.call('INCRBY', KEYS[1], ARGV[1])
    redis.call('RPUSH', KEYS[2], sum)
    return {sum, redis.call('LLEN', KEYS[2])}`;
  for (const client of [one, two]) client.defineCommand('addAndLog', { numberOfKeys: 2, lua });
  assert.deepEqual(await one.addAndLog('lua:sum', 'lua:log', 3), [3, 1]);
  assert.deepEqual(await two.addAndLog('lua:sum', 'lua:log', 4), [7, 2]);
  assert.deepEqual(await two.pipeline().addAndLog('lua:sum', 'lua:log', 1).llen('lua:log').exec(),
    [[null, [8, 3]], [null, 3]]);
  assert.deepEqual(await one.multi().addAndLog('lua:sum', 'lua:log', 1).exec(), [[null, [9, 4]]]);
}

async function ioredis_messages(target) {
  const [listener, speaker] = [target.ioredis(), target.ioredis()];
  if ((await speaker.call('COMMAND', 'INFO', 'SUBSCRIBE'))[0] === null) return 'not served yet';
  const heard = [];
  const all = new Promise((resolve) => {
    listener.on('message', (channel, text) => heard.push([channel, text]) === 3 && resolve());
  });
  await listener.subscribe('news');
  for (const text of ['a', 'b', 'c']) await speaker.publish('news', text);
  await all;
  assert.deepEqual(heard, [['news', 'a'], ['news', 'b'], ['news', 'c']]);
}

module.exports = {
  ioredis_commands, ioredis_pipelines, ioredis_transactions, ioredis_scripts, ioredis_messages,
};
