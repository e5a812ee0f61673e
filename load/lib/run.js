/** A run from its beginning to its report. */
import { accessSync, constants, statSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, resolve } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import wrap from 'wrap-ansi';
import { Crowd } from './crowd.js';
import { bare } from './format.js';
import { judge } from './judge.js';
import { Live } from './live.js';
import { BadInput } from './options.js';
import { gaugesOf, poolsOf } from './prometheus.js';
import { Recorder } from './recorder.js';
import { drawReport } from './report.js';
import { loadScenario } from './scenario.js';
import { peakKey } from './scraper.js';
import { costRows, drawRows, requestRows } from './table.js';
import { prepare } from './target.js';
import { Visitor } from './visitor.js';

/** For requests that are under way at the end. */
const GRACE_MS = 2000;
/** Of faults, in the terminal. */
const MOST_FAULTS = 5;

/** @typedef {import('./view.js').Second} Second */

/** @param {import('./options.js').Options} options @returns {Promise<number>} the exit code @throws {BadInput} */
export async function run(options) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => onSignal());
  for (const file of [options.report, options.json]) if (file) refuseUnwritable(file);
  const scenario = await loadScenario(options.scenario);
  const target = await prepare(options);
  try {
    console.log(wrapped(introductionOf(options, target)));
    const measured = await measure(options, scenario, target);
    return report(options, target, measured);
  } finally {
    await target.stop();
  }
}

/** Rather now than after the run. @param {string} file */
function refuseUnwritable(file) {
  const path = resolve(file);
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch {
    throw new BadInput(`Cannot write ${file}: ${dirname(path)} is no folder that can be written to.`);
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new BadInput(`Cannot write ${file}: it is a folder.`);
}

/** @param {import('./options.js').Options} options @param {import('./target.js').Target} target */
function introductionOf({ users, spawnRate, duration, wave }, { introduction }) {
  const waves = wave > 0 ? `, acting together each ${wave} s` : '';
  return `${introduction}\n${users} users, ${Math.round(spawnRate * 10) / 10} more a second${waves}, for ${duration} s. Ctrl-C ends it and reports.\n`;
}

/**
 * @param {import('./options.js').Options} options
 * @param {import('./scenario.js').Scenario} scenario
 * @param {import('./target.js').Target} target
 */
async function measure(options, scenario, target) {
  const { duration, users, spawnRate, waitScale, wave, timeout } = options;
  const recorder = new Recorder();
  const over = new AbortController();
  const newVisitor = (id) =>
    new Visitor(id, target.url, {
      timeoutMs: timeout * 1000,
      begin: () => recorder.begin(),
      record: (outcome) => recorder.record(outcome),
    });
  const crowd = new Crowd({
    ...{ scenario, users, spawnRate, waitScale, waveMs: wave * 1000, newVisitor, signal: over.signal },
    failed: (task, error) => recorder.failed(task, error),
  });
  const lag = monitorEventLoopDelay({ resolution: 10 });
  lag.enable();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const watched = watchSeconds({ options, target, recorder, crowd, start });
  const lives = crowd.run();
  const end = await Promise.race([
    sleep(duration * 1000, /** @type {Ending} */ ({}), { signal: over.signal }).catch(() => ({})),
    interrupted(),
    recorder.unreachable.then(() => ({
      fault: `The service is gone: nobody listens at ${bare(target.url)} any more.`,
    })),
    target.gone.then((fault) => ({ fault })),
    ...(target.watch ? [target.watch.lost.then((why) => ({ fault: `Redis is gone: ${why}.` }))] : []),
  ]);
  over.abort();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const grace = new AbortController();
  const { signal } = grace;
  await Promise.race([lives, sleep(end.fault ? 0 : GRACE_MS, undefined, { signal }).catch(() => {})]);
  grace.abort();
  recorder.end();
  const last = await target.watch?.look();
  await target.scraper?.look().catch(() => {});
  const series = watched.stop();
  await crowd.close();
  const summary = recorder.summary();
  const tester = {
    cpuShare: (user + system) / 1e6 / seconds,
    lagP99Ms: Math.max(0, lag.percentile(99) / 1e6 - 10),
  };
  const facts = factsOf({ target, summary, seconds, tester, last });
  return { end, series, summary, facts };
}

/** @typedef {{ fault?: string, interrupted?: boolean }} Ending */

/** Before there is something to report, and the second time, a signal ends everything: what we started ends with us. */
const quit = () => process.exit(130);
/** npm passes on to us what the terminal has sent us already. */
const ECHO_MS = 500;
let onSignal = quit;

/** Ctrl-C once ends the run. @returns {Promise<Ending>} */
function interrupted() {
  return new Promise((resolve) => {
    onSignal = () => {
      const at = performance.now();
      onSignal = () => {
        if (performance.now() - at > ECHO_MS) quit();
      };
      resolve({ interrupted: true });
    };
  });
}

/**
 * Looks once a second.
 *
 * @param {{ options: import('./options.js').Options, target: import('./target.js').Target, recorder: Recorder, crowd: Crowd, start: number }} run
 */
function watchSeconds({ options, target: { watch, scraper, before }, recorder, crowd, start }) {
  const live = new Live(options);
  /** @type {Second[]} */
  const series = [];
  let [total, cpu, appCpu] = [before?.total ?? 0, before?.cpuSeconds ?? 0, appCpuOf(scraper)];
  let [looked, appLooked] = [start, scraper?.lastAt ?? 0];
  const look = () => {
    const now = performance.now();
    /** @type {Second} */
    const second = { at: (now - start) / 1000, users: crowd.present, ...recorder.second() };
    const latest = watch?.latest;
    if (watch && latest) {
      const peak = watch.takePeak();
      const cpuShare = Math.max(0, latest.cpuSeconds - cpu) / ((now - looked) / 1000);
      second.redis = { open: latest.open, peak, dialled: latest.total - total, cpu: cpuShare };
      [total, cpu] = [latest.total, latest.cpuSeconds];
    }
    if (scraper?.last) {
      const { inUse, open, waiting } = gaugesOf(scraper.last);
      const maxActive = (scraper.last.get('redis_pool_connections_max') ?? []).reduce(
        (sum, { value }) => sum + value,
        0,
      );
      if (maxActive > 0) second.pool = { inUse, open, waiting, maxActive };
      const spent = appCpuOf(scraper);
      if (spent !== undefined && appCpu !== undefined && scraper.lastAt > appLooked)
        second.appCpu = (spent - appCpu) / ((scraper.lastAt - appLooked) / 1000);
      [appCpu, appLooked] = [spent, scraper.lastAt];
    }
    looked = now;
    series.push(second);
    live.show(second);
  };
  const timer = setInterval(look, 1000);
  return {
    stop() {
      clearInterval(timer);
      // What came after the last full second would look like a lull.
      if (series.length === 0) look();
      live.end();
      return series;
    },
  };
}

/** @param {import('./scraper.js').Scraper} [scraper] */
const appCpuOf = (scraper) => (scraper?.last ? gaugesOf(scraper.last).cpuSeconds : undefined);

/**
 * @param {{ target: import('./target.js').Target, summary: ReturnType<Recorder['summary']>, seconds: number,
 *   tester: { cpuShare: number, lagP99Ms: number }, last?: import('./redis-watch.js').Sample }} measured
 * @returns {import('./judge.js').Facts}
 */
function factsOf({ target: { watch, scraper, before }, summary, seconds, tester, last }) {
  const { requests, errors, latency, inFlightPeak } = summary;
  return {
    ...{ seconds, requests, errors, latency, inFlightPeak, tester },
    ...(watch &&
      before &&
      last && {
        redis: {
          name: watch.name,
          ...(watch.maxClients !== undefined && { maxClients: watch.maxClients }),
          before: before.open,
          peak: watch.peak,
          newConnections: last.total - before.total,
          commands: last.commands - before.commands,
          cpuShare: (last.cpuSeconds - before.cpuSeconds) / seconds,
          replyP99Ms: last.replyP99Ms,
        },
      }),
    pools: scraper?.first && scraper.last ? poolsWithPeaks(scraper) : [],
    ...appOf(scraper),
  };
}

/** @param {import('./scraper.js').Scraper} scraper @returns {import('./judge.js').PoolFacts[]} */
function poolsWithPeaks({ first, last, peaks }) {
  const none = { inUse: 0, open: 0, lanes: 0, waiting: 0 };
  return poolsOf(first ?? new Map(), last ?? new Map()).map((pool) => ({
    ...pool,
    peak: peaks.get(peakKey(pool.name, pool.node)) ?? none,
  }));
}

/** @param {import('./scraper.js').Scraper} [scraper] */
function appOf(scraper) {
  if (!scraper?.first || !scraper.last || scraper.lastAt === scraper.firstAt) return {};
  const [from, to] = [gaugesOf(scraper.first).cpuSeconds, gaugesOf(scraper.last).cpuSeconds];
  if (from === undefined || to === undefined) return {};
  const cpuShare = (to - from) / ((scraper.lastAt - scraper.firstAt) / 1000);
  return { app: { cpuShare, ...(scraper.lagP99Ms !== undefined && { lagP99Ms: scraper.lagP99Ms }) } };
}

/**
 * @param {import('./options.js').Options} options
 * @param {import('./target.js').Target} target
 * @param {Awaited<ReturnType<typeof measure>>} measured
 */
function report(options, target, { end, series, summary, facts }) {
  const { verdicts, broken } = judge(facts, options);
  const [requests, costs] = [requestRows(summary), costRows(facts)];
  const faults = summary.faults.slice(0, MOST_FAULTS).map(({ what, count }) => `  ${count} × ${what}`);
  console.log(`\n${drawRows(requests)}\n\n${drawRows(costs)}\n`);
  if (faults.length > 0) console.log(`What failed:\n${faults.join('\n')}\n`);
  for (const { says, text } of verdicts)
    console.log(wrapped(`${{ good: '✓', act: '✗', unknown: '?' }[says]} ${text}`, '  '));
  const missed = target.scraper?.missed ?? 0;
  if (missed > 0) console.log(`? The metrics endpoint did not answer ${missed} times.`);
  const made = {
    options: withoutSecrets(options),
    end,
    series,
    summary,
    facts,
    verdicts,
    environment: environment(),
  };
  const title = `Load test of ${options.url ? bare(options.url) : `the example, store ${options.store}`}`;
  const html = drawReport({ title, introduction: introductionOf(options, target), requests, costs, ...made });
  const written =
    write(options.report, html) && (!options.json || write(options.json, `${JSON.stringify(made)}\n`));
  if (written) console.log(`\nWith charts: ${options.report}`);
  if (end.fault) console.error(`${end.fault} What was measured until then is above.`);
  if (end.interrupted) console.error('Ended by Ctrl-C; what was measured until then is above.');
  for (const text of broken) console.error(text);
  return end.fault || broken.length > 0 || !written ? 1 : end.interrupted ? 130 : 0;
}

/** Whether that went well: what was measured is on the terminal by then. @param {string} file @param {string} text */
function write(file, text) {
  try {
    writeFileSync(file, text);
    return true;
  } catch (error) {
    console.error(`Cannot write ${file}: ${error.message}.`);
    return false;
  }
}

/** What is written down may be shown around. @param {import('./options.js').Options} options */
function withoutSecrets(options) {
  const urls = ['url', 'redis', 'metrics'].filter((name) => options[name]);
  return { ...options, ...Object.fromEntries(urls.map((name) => [name, bare(options[name])])) };
}

/** For a terminal; a log may have long lines. @param {string} text */
function wrapped(text, indent = '') {
  return process.stdout.isTTY
    ? wrap(text, process.stdout.columns - indent.length).replaceAll('\n', `\n${indent}`)
    : text;
}

function environment() {
  const [{ model } = { model: 'unknown CPU' }] = cpus();
  return {
    node: process.version,
    cpu: model,
    cores: cpus().length,
    date: new Date().toISOString().slice(0, 10),
  };
}
