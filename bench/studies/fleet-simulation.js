/**
 * What does a node see when a fleet loses it? A thousand processes, each with a pool of default options and its real
 * deciders, on a clock and a server of this file. Draws the dials a second into docs/fleet-dials.svg.
 */
import { writeFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { row } from '../lib/measure.js';
import { drawTimes } from './time-chart.js';

const CONNECT_TIMEOUT_MS = 2000; // the default of connectTimeoutMs
const BEFORE_MS = 1000;
const AFTER_MS = 5000;
/** How long a connect takes, a command, and what a handler does with a lease. */
const CONNECT_MS = 5;
const REPLY_MS = 1;
const HOLD_MS = 10;
/** When a connect that nobody has answered is repeated (TCP's first retransmission). */
const REPEAT_MS = 1000;

/** What befalls the node; `refuses`: its host is there, and says at once that nobody listens. */
export const EVENTS = [
  { name: 'restart, 3 s', awayMs: 3000, refuses: true },
  { name: 'process gone for 30 s', awayMs: 30_000, refuses: true },
  { name: 'host gone for 30 s', awayMs: 30_000, refuses: false },
];

/** Chance that is the same in each run. */
function seeded(seed) {
  let state = (seed * 2_654_435_761) % 2 ** 32; // far from those of other seeds
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

/** Time that passes in whole milliseconds; what is due in the same one comes in the order in which it was set. */
class Time {
  #now = 0;
  #due = new Map();

  now() {
    return this.#now;
  }

  after(ms, run) {
    if (ms === Number.POSITIVE_INFINITY) return () => {};
    const at = Math.max(this.#now + 1, Math.ceil(this.#now + ms));
    let timers = this.#due.get(at);
    if (!timers) {
      timers = new Set();
      this.#due.set(at, timers);
    }
    const timer = { run };
    timers.add(timer);
    return () => void timers.delete(timer);
  }

  soon(run) {
    setImmediate(run);
  }

  async tick() {
    const timers = this.#due.get(++this.#now);
    this.#due.delete(this.#now);
    for (const timer of timers ?? []) timer.run();
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The node, with the sockets that it sees while it is up: those that connect, and those that are open. */
class Node {
  up = true;
  open = new Set();
  sockets = 0;
  mostSockets = 0;

  constructor(time, refuses) {
    this.time = time;
    this.refuses = refuses;
  }

  connect(owner) {
    return new Connection(this, owner);
  }

  die() {
    this.up = false;
    for (const one of [...this.open]) one.die();
  }
}

class Client extends Redis {
  constructor(time) {
    super({ lazyConnect: true });
    this.status = 'ready';
    this.time = time;
  }

  sendCommand(command) {
    const item = { command, stream: undefined, select: 0 };
    this.commandQueue.push(item);
    this.time.after(REPLY_MS, () => {
      if (this.commandQueue.peekFront() !== item) return; // it was lost
      this.commandQueue.shift();
      command.resolve('OK');
    });
    return command.promise;
  }
}

class Connection {
  db = 0;
  answered = true;
  #socket = true;
  #fail = () => {};

  constructor(node, owner) {
    this.node = node;
    this.owner = owner;
    node.sockets++;
    if (node.up) node.mostSockets = Math.max(node.mostSockets, node.sockets);
    this.ready = new Promise((resolve, reject) => {
      const fail = (message) => {
        this.#gone();
        reject(new Error(message));
      };
      this.#fail = fail;
      const { up, refuses, time } = node;
      const open = () => {
        if (!this.#socket) return;
        node.open.add(this);
        this.client = new Client(time);
        resolve();
      };
      if (up || refuses) {
        time.after(CONNECT_MS, () => (up && node.up ? open() : fail('connect ECONNREFUSED')));
      } else {
        time.after(REPEAT_MS, () => node.up && open());
        time.after(CONNECT_TIMEOUT_MS, () => !this.client && fail('connect ETIMEDOUT'));
      }
    });
    this.ready.catch(() => {});
  }

  get alive() {
    return this.node.open.has(this);
  }

  get pendingReplies() {
    return this.client.commandQueue.length;
  }

  die() {
    this.#gone();
    this.owner.lost();
  }

  cut() {
    this.die();
  }

  async close() {
    if (this.client) this.#gone();
    else this.#fail('the connection was closed');
  }

  #gone() {
    if (!this.#socket) return;
    this.#socket = false;
    this.node.sockets--;
    this.node.open.delete(this);
    const queue = this.client?.commandQueue;
    for (let item = queue?.shift(); item; item = queue.shift()) item.command.reject(this.owner.lostError());
  }
}

/**
 * `processes`, each with so many calls a second, half of them over `pool.redis`, through one of {@link EVENTS}. Returns
 * the dials of each 100 ms, at 0 when the node is lost; those of the first second, of a second while it is away, of the
 * worst second after; most sockets at the node; and how long after its return processes are served again.
 */
export async function simulate(Pool, { awayMs, refuses }, { processes, callsPerSecond = 10 }) {
  const time = new Time();
  const node = new Node(time, refuses);
  const dials = new Map();
  const back = BEFORE_MS + awayMs;
  const deps = {
    clock: time,
    connect: (owner) => {
      const at = Math.floor((time.now() - BEFORE_MS) / 100);
      dials.set(at, (dials.get(at) ?? 0) + 1);
      return node.connect(owner);
    },
    ping: async () => {},
    watchFailovers: () => undefined,
    checkMaxClients: () => {},
  };
  const fleet = Array.from({ length: processes }, (_, i) => {
    const random = seeded(i + 1);
    return { random, served: undefined, pool: new Pool({}, { ...deps, random }) };
  });
  const pause = (ms) => new Promise((resolve) => time.after(ms, resolve));
  const call = (member) => {
    const { pool, random } = member;
    const held = async (lease) => {
      await lease.get('k');
      await pause(HOLD_MS);
    };
    const served = () => {
      if (time.now() > back) member.served ??= time.now() - back;
    };
    const work = random() < 0.5 ? pool.redis.get('k') : pool.use(held);
    work.then(served, () => {});
  };
  // The fleet is spread over the ticks, so that each process is visited once in 10 ms.
  const share = callsPerSecond / 100;
  for (let at = 0; at < back + AFTER_MS; at++) {
    if (at === BEFORE_MS) node.die();
    if (at === back) node.up = true;
    for (let i = at % 10; i < processes; i += 10) if (fleet[i].random() < share) call(fleet[i]);
    await time.tick();
  }
  const backAfterMs = fleet.map(({ served }) => served ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  const perSecond = Array.from({ length: (BEFORE_MS + awayMs + AFTER_MS) / 100 }, (_, i) => {
    const at = i - BEFORE_MS / 100;
    return { at: at / 10, rate: (dials.get(at) ?? 0) * 10 };
  });
  const count = (fromMs, toMs) => {
    let sum = 0;
    for (let at = fromMs / 100; at < toMs / 100; at++) sum += dials.get(at) ?? 0;
    return sum;
  };
  const seconds = Array.from({ length: AFTER_MS / 100 - 9 }, (_, i) => awayMs + i * 100);
  return {
    perSecond,
    first: count(0, 1000),
    steady: count(1000, awayMs) / (awayMs / 1000 - 1),
    peak: Math.max(...seconds.map((from) => count(from, from + 1000))),
    mostSockets: node.mostSockets,
    backMs: { median: backAfterMs[processes >> 1], last: backAfterMs.at(-1) },
  };
}

if (process.argv[1] === import.meta.filename) {
  const { Pool } = await import('../../dist/index.js');
  const processes = Number(process.env.PROCESSES ?? 1000);
  const seen = [];
  console.log(
    row(
      'event',
      'first second',
      'a second, from then on',
      'worst second after',
      'most sockets',
      'half are back',
      'all are back',
    ),
  );
  for (const event of EVENTS) {
    const one = await simulate(Pool, event, { processes });
    seen.push({ ...event, ...one });
    const { first, steady, peak, mostSockets, backMs } = one;
    const { median, last } = backMs;
    console.log(row(event.name, first, Math.round(steady), peak, mostSockets, `${median} ms`, `${last} ms`));
  }
  const chart = drawTimes({
    title: `Dials a second at one node, of ${processes} processes with default options`,
    caption:
      'Red: the node is away. Simulated with the real deciders on an injected clock; in steps of 100 ms.',
    unit: 'dials a second',
    ticks: [10, 100, 1000, 10_000],
    panels: seen.map(({ name, awayMs, perSecond }) => ({
      title: name,
      awayFor: awayMs / 1000,
      points: perSecond.filter(({ at }) => at >= -0.5),
    })),
  });
  writeFileSync(new URL('../../docs/fleet-dials.svg', import.meta.url), chart);
}
