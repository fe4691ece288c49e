// Limits by scripts: rate-limiter-flexible, and express-rate-limit with rate-limit-redis.
'use strict';

const assert = require('node:assert/strict');
const { rateLimit } = require('express-rate-limit');
const { RedisStore } = require('rate-limit-redis');
const { RateLimiterRedis, RateLimiterRes } = require('rate-limiter-flexible');

/// That of `seconds` which began at `since` (performance.now()) or later `left` ms are left.
function assertLeft(left, seconds, since) {
  const most = seconds * 1000;
  const least = most - (performance.now() - since) - 2;  // each side's clock shows whole ms
  assert.ok(least <= left && left <= most, `${left} ms of ${most} are left, at least ${least} are`);
}

async function rate_limiter_flexible(target) {
  const limiters = Array.from({ length: 5 }, () => new RateLimiterRedis({
    storeClient: target.ioredis(), keyPrefix: 'rlf', points: 30, duration: 60, blockDuration: 90,
  }));
  const one = limiters[0];
  let since = performance.now();
  const first = await one.consume('user', 2);
  assert.equal(first.remainingPoints, 28);
  assert.ok(first.isFirstInDuration);
  assertLeft(first.msBeforeNext, 60, since);
  assert.equal((await limiters[1].get('user')).consumedPoints, 2);
  assert.equal((await limiters[2].reward('user', 1)).consumedPoints, 1);
  assert.equal((await limiters[3].penalty('user', 4)).consumedPoints, 5);
  assert.equal(await limiters[4].delete('user'), true);
  assert.equal(await one.get('user'), null);

  since = performance.now();
  const outcomes = await Promise.all(Array.from({ length: 80 }, async (_, i) => {
    try {
      return await limiters[i % limiters.length].consume('visitor');
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return null;
      throw refusal;
    }
  }));
  const allowed = outcomes.filter((outcome) => outcome !== null);
  assert.equal(allowed.length, 30);
  assert.deepEqual(allowed.map((outcome) => outcome.consumedPoints).sort((a, b) => a - b),
    Array.from({ length: 30 }, (_, i) => i + 1));
  // Who goes on is blocked, which is for longer.
  assertLeft((await one.get('visitor')).msBeforeNext, 90, since);
  await limiters[1].block('enemy', 100);
  await assert.rejects(limiters[2].consume('enemy'), RateLimiterRes);
}

async function rate_limiter_flexible_with_node_redis(target) {
  const limiters = await Promise.all(Array.from({ length: 3 }, async () => new RateLimiterRedis({
    storeClient: await target.nodeRedis(), useRedisPackage: true, keyPrefix: 'rlfn', points: 10,
    duration: 60,
  })));
  const outcomes = await Promise.allSettled(
    Array.from({ length: 30 }, (_, i) => limiters[i % 3].consume('visitor')));
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 10);
  for (const { reason } of outcomes) assert.ok(!reason || reason instanceof RateLimiterRes, reason);
}

// One request to the middleware of express-rate-limit: the status and the headers it answers with.
function request(middleware) {
  return new Promise((resolve, reject) => {
    const headers = {};
    let status = 200;
    const response = {
      headersSent: false,
      setHeader: (name, value) => { headers[name.toLowerCase()] = String(value); },
      status: (code) => { status = code; },
      send: () => resolve({ status, headers }),
    };
    middleware({ ip: '192.0.2.1' }, response, (error) => {
      if (error) reject(error);
      else resolve({ status, headers });
    });
  });
}

async function rate_limit_redis(target) {
  const stores = Array.from({ length: 3 }, () => {
    const client = target.ioredis();
    return new RedisStore({ sendCommand: (...words) => client.call(...words), prefix: 'rlr:' });
  });
  const services = stores.map((store) => rateLimit({
    windowMs: 60_000, limit: 20, store, validate: false, standardHeaders: 'draft-6',
    legacyHeaders: false, keyGenerator: (from) => from.ip,
  }));
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => request(services[i % 3])));
  const count = (status) => answers.filter((answer) => answer.status === status).length;
  assert.deepEqual([count(200), count(429)], [20, 30]);
  const remaining = answers.filter((answer) => answer.status === 200)
    .map((answer) => Number(answer.headers['ratelimit-remaining']));
  assert.deepEqual(remaining.sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i));

  const [one, two, three] = stores;
  assert.equal((await one.get('192.0.2.1')).totalHits, 50);
  await two.decrement('192.0.2.1');
  assert.equal((await three.increment('192.0.2.1')).totalHits, 50);
  await one.resetKey('192.0.2.1');
  assert.equal((await two.increment('192.0.2.1')).totalHits, 1);
}

module.exports = {
  rate_limiter_flexible, rate_limiter_flexible_with_node_redis, rate_limit_redis,
};
