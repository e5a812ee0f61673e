/**
 * Put before a suite of somebody else's: what it builds with `new Redis()` is the `redis` of a small pool, and port
 * 6379 is the server of the test. Says at the end how many pools there were, and how many commands they have sent.
 */
const Module = require('node:module');
const net = require('node:net');
const { writeFileSync } = require('node:fs');
const { Redis } = require('ioredis');
const { Pool } = require('../../dist/index.cjs');

const PORT = Number(process.env.TEST_PORT);
/** Whose `require('ioredis')` is answered with the shim: the suite's, and that of the library it tests. */
const SUITE = process.env.TEST_SUITE;
const pools = [];
let sent = 0;

function Shim(...args) {
  const { options } = new Redis(...args, { lazyConnect: true }); // ioredis itself reads what it was given
  const pool = new Pool({ redis: options, name: 'suite', maxActive: 4 });
  pools.push(pool);
  const { sendCommand } = pool.redis;
  pool.redis.sendCommand = function (...command) {
    sent++;
    return sendCommand.apply(this, command);
  };
  return pool.redis;
}
const { length, name, ...exported } = Object.getOwnPropertyDescriptors(Redis);
Object.defineProperties(Shim, { ...exported, default: { value: Shim }, Redis: { value: Shim } });

const load = Module._load;
Module._load = function (request, parent, ...rest) {
  if (request === 'ioredis' && parent?.filename.includes(SUITE)) return Shim;
  // The suite of redlock was written for this major.
  if (request === 'redis' && parent?.filename.includes(SUITE))
    return load.call(this, 'redis3', module, ...rest);
  return load.call(this, request, parent, ...rest);
};

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  const [target] = Array.isArray(args[0]) ? args[0] : args;
  if (Number(target?.port) === 6379) target.port = PORT;
  return connect.apply(this, args);
};

process.on('exit', () => {
  const most = Math.max(0, ...pools.map((pool) => pool.stats().connected));
  writeFileSync(process.env.TEST_REPORT, JSON.stringify({ pools: pools.length, sent, most }));
});
