// node run.js --servers HOST:PORT,... [--seed N] [PART ...]: runs the parts, ends with 1 at a failure.
'use strict';

const { parseArgs } = require('node:util');
const { Target } = require('./target');

const parts = {
  ...require('./ioredis'), ...require('./node_redis'), ...require('./locks'),
  ...require('./limits'), ...require('./figures'),
};

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { servers: { type: 'string' }, seed: { type: 'string', default: '1' } },
  });
  const names = positionals.length ? positionals : Object.keys(parts);
  for (const name of names) {
    const target = new Target(values.servers, Number(values.seed));
    const began = performance.now();
    try {
      const note = await parts[name](target);
      const took = Math.round(performance.now() - began);
      console.log(`${name.replaceAll('_', ' ')}${note ? ` (${note})` : ''}: ${took} ms`);
    } catch (error) {
      console.error(`${name}: ${error.stack}`);
      process.exitCode = 1;
    } finally {
      target.close();
    }
  }
}

main().then(() => process.exit());
