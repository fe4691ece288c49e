// The servers under test: every connection goes to one of them at random, as behind a balancer.
'use strict';

const Redis = require('ioredis');
const { createClient } = require('redis');

class Target {
  #servers;
  #closers = [];
  #random;

  /// `servers`: "host:port,..."; `seed` decides which connection goes where.
  constructor(servers, seed) {
    this.#servers = servers.split(',').map((text) => {
      const [host, port] = text.split(':');
      return { host, port: Number(port) };
    });
    this.#random = seed >>> 0;
  }

  get size() { return this.#servers.length; }

  /// A whole number below `limit`, from the seed (a linear congruential generator).
  random(limit) {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
    return Math.floor(this.#random / 2 ** 32 * limit);
  }

  /// A connection of ioredis, with its defaults but for a machine that stalls, to a server at
  /// random or to the one `at`.
  ioredis(options = {}, at = this.random(this.size)) {
    const client = new Redis({ connectTimeout: 60000, ...this.#servers[at], ...options });
    client.on('error', (error) => { throw error; });
    this.#closers.push(() => client.disconnect());
    return client;
  }

  /// A connection of node-redis, likewise.
  async nodeRedis(options = {}, at = this.random(this.size)) {
    const socket = { connectTimeout: 60000, ...this.#servers[at] };
    const client = createClient({ socket, ...options });
    client.on('error', (error) => { throw error; });
    this.#closers.push(() => client.destroy());
    return client.connect();
  }

  /// Closes what was opened.
  close() {
    for (const closer of this.#closers.splice(0)) closer();
  }
}

module.exports = { Target };
