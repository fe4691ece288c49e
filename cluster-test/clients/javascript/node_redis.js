// What services do with node-redis, in RESP2 and RESP3; another connection sees what was answered.
'use strict';

const assert = require('node:assert/strict');
const { WatchError, defineScript } = require('redis');

async function commands(target, protocol) {
  const [one, two] = [await target.nodeRedis({ RESP: protocol }),
    await target.nodeRedis({ RESP: protocol })];
  const key = (name) => `node${protocol}:${name}`;

  assert.equal(await one.set(key('text'), 'hello', { EX: 100 }), 'OK');
  assert.equal(await two.get(key('text')), 'hello');
  assert.equal(await two.set(key('text'), 'x', { NX: true }), null);
  assert.equal(await one.getEx(key('text'), { type: 'EX', value: 200 }), 'hello');
  assert.ok(await two.ttl(key('text')) > 150);
  assert.equal(await one.expire(key('text'), 100, 'LT'), 1);
  assert.equal(await two.incrBy(key('n'), 41), 41);
  assert.equal(await one.decr(key('n')), 40);
  assert.equal(await two.incrByFloat(key('n'), 0.25), '40.25');
  await one.mSet([[key('a'), '1'], [key('b'), '2']]);
  assert.deepEqual(await two.mGet([key('a'), key('none'), key('b')]), ['1', null, '2']);

  assert.equal(await one.hSet(key('hash'), { name: 'starling', legs: 2 }), 2);
  assert.deepEqual({ ...await two.hGetAll(key('hash')) }, { name: 'starling', legs: '2' });
  assert.equal(await two.hIncrByFloat(key('hash'), 'legs', 0.5), '2.5');
  assert.deepEqual((await one.hKeys(key('hash'))).sort(), ['legs', 'name']);
  const fields = [];
  for await (const entries of two.hScanIterator(key('hash'))) fields.push(...entries);
  assert.equal(fields.length, 2);

  assert.equal(await one.rPush(key('list'), ['a', 'b', 'c', 'b']), 4);
  assert.equal(await two.lRem(key('list'), 1, 'b'), 1);
  assert.deepEqual(await two.lRange(key('list'), 0, -1), ['a', 'c', 'b']);
  assert.equal(await one.lMove(key('list'), key('list2'), 'LEFT', 'RIGHT'), 'a');
  assert.deepEqual(await two.lPopCount(key('list'), 5), ['c', 'b']);
  const waiting = two.brPop(key('jobs'), 10);
  await one.lPush(key('jobs'), 'job');
  assert.deepEqual({ ...await waiting }, { key: key('jobs'), element: 'job' });

  assert.equal(await one.sAdd(key('set'), ['a', 'b', 'c']), 3);
  assert.equal(await two.sIsMember(key('set'), 'b'), 1);
  await one.sAdd(key('set2'), ['c', 'd']);
  assert.deepEqual((await two.sUnion([key('set'), key('set2')])).sort(), ['a', 'b', 'c', 'd']);
  assert.equal(await two.sCard(key('set')), 3);

  const scores = [{ score: 1, value: 'a' }, { score: 2.5, value: 'b' }];
  assert.equal(await one.zAdd(key('scores'), scores), 2);
  assert.deepEqual((await two.zRangeWithScores(key('scores'), 0, -1)).map((each) => ({ ...each })),
    scores);
  assert.equal(await two.zScore(key('scores'), 'b'), 2.5);
  assert.equal(await one.zIncrBy(key('scores'), 2, 'a'), 3);
  assert.deepEqual(await two.zRange(key('scores'), 0, 10, { BY: 'SCORE', REV: false }), ['b', 'a']);
  assert.equal(await one.zCount(key('scores'), 3, '+inf'), 1);
  assert.equal(await one.zScore(key('scores'), 'none'), null);

  assert.equal(await one.copy(key('set'), key('set3')), 1);
  assert.equal(await two.type(key('set3')), 'set');
  assert.equal(await two.del([key('set'), key('set2'), key('none')]), 2);
  await assert.rejects(one.lPush(key('hash'), 'x'), /WRONGTYPE/);
  assert.deepEqual(await one.sendCommand(['LRANGE', key('none'), '0', '-1']), []);

  // What is called in one turn leaves in one write.
  const numbers = await Promise.all(Array.from({ length: 300 }, () => two.incr(key('count'))));
  assert.deepEqual(numbers, Array.from({ length: 300 }, (_, i) => i + 1));
  assert.deepEqual(
    await one.multi().set(key('p'), 1).incr(key('p')).get(key('p')).execAsPipeline(),
    ['OK', 2, '2']);
}

const node_redis_commands = (target) => commands(target, 2);
const node_redis_commands_in_resp3 = (target) => commands(target, 3);

async function node_redis_transactions(target) {
  const [one, two] = [await target.nodeRedis(), await target.nodeRedis()];
  assert.deepEqual(await one.multi().set('ntx:a', 1).incr('ntx:a').hGetAll('ntx:none').exec(),
    ['OK', 2, Object.create(null)]);
  await one.watch('ntx:a');
  await two.incr('ntx:a');
  await assert.rejects(one.multi().set('ntx:a', 9).exec(), WatchError);
  assert.equal(await two.get('ntx:a'), '3');

  const add = async (client, times) => {
    while (times > 0) {
      await client.watch('ntx:sum');
      const value = Number(await client.get('ntx:sum') ?? 0);
      try {
        await client.multi().set('ntx:sum', value + 1).exec();
        --times;
      } catch (error) {
        if (!(error instanceof WatchError)) throw error;
      }
    }
  };
  const clients = await Promise.all(Array.from({ length: 4 }, () => target.nodeRedis()));
  await Promise.all(clients.map((client) => add(client, 20)));
  assert.equal(await one.get('ntx:sum'), '80');
}

async function node_redis_scripts(target) {
  const scripts = {
    raise: defineScript({
      SCRIPT: `local old = tonumber(redis.call('GET', KEYS[1]) or 0)
        local new = tonumber(ARGV[1])
        if new > old then redis.call('SET', KEYS[1], new) end
        return math.max(old, new)`,
      NUMBER_OF_KEYS: 1,
      parseCommand(parser, key, value) {
        parser.pushKey(key);
        parser.push(String(value));
      },
      transformReply: undefined,
    }),
  };
  const [one, two] = [await target.nodeRedis({ scripts }), await target.nodeRedis({ scripts })];
  assert.equal(await one.raise('nlua:top', 5), 5);
  assert.equal(await two.raise('nlua:top', 3), 5);
  assert.equal(await two.get('nlua:top'), '5');
  assert.deepEqual(await one.multi().raise('nlua:top', 8).get('nlua:top').exec(), [8, '8']);
  assert.equal(await one.eval('return {KEYS[1], ARGV[1]}[2]',
    { keys: ['k'], arguments: ['v'] }).catch((error) => error.message.slice(0, 3)), 'ERR');
  assert.deepEqual(await one.eval('return {KEYS[1], ARGV[1]}',
    { keys: ['k'], arguments: ['v'] }), ['k', 'v']);
  const loaded = await one.scriptLoad('return redis.call("GET", KEYS[1])');
  assert.equal(await two.evalSha(loaded, { keys: ['nlua:top'] }), '8');
}

module.exports = {
  node_redis_commands, node_redis_commands_in_resp3, node_redis_transactions, node_redis_scripts,
};
