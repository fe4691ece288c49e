// Locks by redlock (versions 4 and 5), with one logical server, and the plain form of the guides.
'use strict';

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');
const Redlock4 = require('redlock');
const { default: Redlock5, ExecutionError } = require('redlock-5');

const WORKERS = 8;
const ROUNDS = 15;

// Each worker, on a connection of its own, adds to what only the lock protects.
async function contend(target, locked) {
  const shared = { value: 0, inside: 0 };
  await Promise.all(Array.from({ length: WORKERS }, async () => {
    const client = target.ioredis();
    for (let round = 0; round < ROUNDS; ++round) {
      await locked(client, async () => {
        assert.equal(++shared.inside, 1, 'two hold the lock');
        const value = shared.value;
        await client.get('lock:anything'); // others may come in between, if they can
        shared.value = value + 1;
        --shared.inside;
      });
    }
  }));
  assert.equal(shared.value, WORKERS * ROUNDS);
}

async function redlock_4(target) {
  const retry = { retryCount: 500, retryDelay: 5, retryJitter: 5 };
  const [one, two] = [new Redlock4([target.ioredis()], { retryCount: 0 }),
    new Redlock4([target.ioredis()], { retryCount: 0 })];
  let lock = await one.lock('lock:four', 10_000);
  await assert.rejects(two.lock('lock:four', 1000), Redlock4.LockError);
  lock = await lock.extend(20_000);
  await lock.unlock();
  await assert.rejects(lock.unlock(), Redlock4.LockError);
  lock = await two.lock('lock:four', 500); // redlock gives up one that took longer to get
  await sleep(600);
  await assert.rejects(lock.extend(1000), Redlock4.LockError, 'it has lapsed');
  lock = await one.lock('lock:four', 20_000);
  await lock.unlock();

  await contend(target, async (client, work) => {
    const held = await new Redlock4([client], retry).lock('lock:four', 20_000);
    await work();
    await held.unlock();
  });
}

async function redlock_5(target) {
  const settings = { retryCount: 500, retryDelay: 5, retryJitter: 5 };
  const [one, two] = [new Redlock5([target.ioredis()], { retryCount: 0 }),
    new Redlock5([target.ioredis()], { retryCount: 0 })];
  let lock = await one.acquire(['lock:five', 'lock:fifth'], 10_000);
  await assert.rejects(two.acquire(['lock:fifth'], 1000), ExecutionError);
  lock = await lock.extend(20_000);
  await lock.release();
  await assert.rejects(lock.release(), ExecutionError);
  lock = await two.acquire(['lock:five'], 500);
  await sleep(600);
  lock = await one.acquire(['lock:five'], 20_000);
  await lock.release();

  // Extends itself while it works, the first time long before its end: machines stall.
  await one.using(['lock:five'], 3000, { automaticExtensionThreshold: 2700 }, async (signal) => {
    await sleep(3200);
    assert.equal(signal.aborted, false);
    await assert.rejects(two.acquire(['lock:five'], 1000), ExecutionError);
  });

  await contend(target, async (client, work) => {
    const held = await new Redlock5([client], settings).acquire(['lock:five'], 20_000);
    await work();
    await held.release();
  });
}

const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
  return 0`;

async function set_nx_and_compare_and_delete(target) {
  const [one, two] = [target.ioredis(), target.ioredis()];
  assert.equal(await one.set('lock:plain', 'mine', 'PX', 10_000, 'NX'), 'OK');
  assert.equal(await two.set('lock:plain', 'yours', 'PX', 10_000, 'NX'), null);
  assert.equal(await two.eval(RELEASE, 1, 'lock:plain', 'yours'), 0);
  assert.equal(await one.pexpire('lock:plain', 20_000), 1);
  assert.ok(await two.pttl('lock:plain') > 10_000);
  assert.equal(await two.get('lock:plain'), 'mine');
  assert.equal(await one.eval(RELEASE, 1, 'lock:plain', 'mine'), 1);
  assert.equal(await two.set('lock:plain', 'yours', 'PX', 50, 'NX'), 'OK');
  const began = performance.now();
  while (await one.set('lock:plain', 'mine', 'PX', 20_000, 'NX') === null) await sleep(2);
  const waited = performance.now() - began;
  assert.ok(waited < 5000, `a lock of 50 ms lapsed after ${waited} ms`);
  assert.equal(await one.del('lock:plain'), 1);

  await contend(target, async (client, work) => {
    const token = randomUUID();
    while (await client.set('lock:plain', token, 'PX', 20_000, 'NX') === null) await sleep(2);
    await work();
    assert.equal(await client.eval(RELEASE, 1, 'lock:plain', token), 1);
  });
}

module.exports = { redlock_4, redlock_5, set_nx_and_compare_and_delete };
