// Counts that must come out exactly when requests arrive at all servers at once.
'use strict';

const assert = require('node:assert/strict');

function shuffled(target, items) {
  const result = [...items];
  for (let i = result.length - 1; i > 0; --i) {
    const j = target.random(i + 1);
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}

function connections(target) {
  return Math.max(3, target.size);
}

// A client at every server, and at least three.
function clientsEverywhere(target, options) {
  return Array.from({ length: connections(target) },
    (_, i) => target.ioredis(options, i % target.size));
}

async function one_winner_each_of_500_keys(target) {
  const clients = clientsEverywhere(target);
  const keys = Array.from({ length: 500 }, (_, i) => `dedup:${i}`);
  const wins = new Map(keys.map((key) => [key, 0]));
  await Promise.all(clients.flatMap((client) => shuffled(target, keys).map(async (key) => {
    if (await client.set(key, '1', 'EX', 300, 'NX') === 'OK') wins.set(key, wins.get(key) + 1);
  })));
  assert.deepEqual([...wins.values()].filter((count) => count !== 1), []);
}

async function fixed_window_of_100_for_200_requests(target) {
  const clients = clientsEverywhere(target);
  const allowed = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const client = clients[i % clients.length];
    const count = await client.incr('window:fixed');
    if (count === 1) await client.expire('window:fixed', 60);
    return count <= 100;
  }));
  assert.deepEqual([allowed.filter((each) => each).length, allowed.filter((each) => !each).length],
    [100, 100]);
  assert.ok(await clients[0].ttl('window:fixed') > 50);
}

// 20 requests at once at a limit of 10 in the last minute; how many were allowed.
async function slidingWindow(target, key, begin) {
  const clients = clientsEverywhere(target);
  const allowed = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const now = Date.now();
    const replies = await begin(clients[i % clients.length])
      .zremrangebyscore(key, 0, now - 60_000)
      .zcard(key)
      .zadd(key, now, `${now}-${i}`)
      .expire(key, 60)
      .exec();
    for (const [error] of replies) assert.equal(error, null);
    return replies[1][1] < 10;
  }));
  assert.equal(await clients[0].zcard(key), 20);
  return allowed.filter((each) => each).length;
}

async function sliding_window_in_a_transaction(target) {
  for (let run = 0; run < 10; ++run) {
    assert.equal(await slidingWindow(target, `sliding:tx:${run}`, (client) => client.multi()), 10);
  }
}

// A pipeline may be interleaved with others between its commands, on Redis too, where one that
// arrives in one read just happens not to be: then two requests may see one count, and a few more
// are allowed. Never fewer, since each adds itself after it has counted; and only so many more as
// there are other connections, each of which has one request at a time between count and addition.
async function sliding_window_in_a_pipeline(target) {
  const allowed = [];
  for (let run = 0; run < 10; ++run) {
    allowed.push(await slidingWindow(target, `sliding:${run}`, (client) => client.pipeline()));
  }
  const most = 10 + connections(target) - 1;
  assert.ok(allowed.every((count) => count >= 10 && count <= most), String(allowed));
  return `allowed ${Math.min(...allowed)} to ${Math.max(...allowed)}`;
}

module.exports = {
  one_winner_each_of_500_keys, fixed_window_of_100_for_200_requests,
  sliding_window_in_a_transaction, sliding_window_in_a_pipeline,
};
