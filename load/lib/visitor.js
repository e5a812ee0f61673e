/** One user's way to the service: HTTP, cookies, and how long each answer took. */
import { CookieJar } from 'tough-cookie';
import { Pool } from 'undici';

/** What went wrong with a request, and was counted there; a task that ends with it is not counted once more. */
export class RequestFailed extends Error {}

/** As browsers have it. */
const CONNECTIONS = 6;

/**
 * @typedef {object} Outcome
 * @property {string} name
 * @property {number} ms from the request until all of the answer is read
 * @property {string} [error] in few words, the same for all of its kind
 * @property {boolean} [unreachable] nobody listens there
 */

/** @implements {import('./scenario.js').User} */
export class Visitor {
  /** @type {Record<string, unknown>} */
  memory = {};
  #base;
  #service;
  #cookies = new CookieJar();
  #record;

  /**
   * @param {number} id
   * @param {string} base the service's URL; paths come after it
   * @param {{ timeoutMs: number, begin: () => void, record: (outcome: Outcome) => void }} how
   */
  constructor(id, base, { timeoutMs, begin, record }) {
    this.id = id;
    this.#base = base.replace(/\/$/, '');
    this.#record = { begin, end: record };
    this.#service = new Pool(new URL(base).origin, {
      connections: CONNECTIONS,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: { timeout: timeoutMs },
    });
  }

  /** @type {import('./scenario.js').User['get']} */
  get(path, how) {
    return this.request('GET', path, how);
  }

  /** @type {import('./scenario.js').User['post']} */
  post(path, how) {
    return this.request('POST', path, how);
  }

  /** @type {import('./scenario.js').User['request']} */
  async request(method, path, how = {}) {
    if (!path.startsWith('/')) throw new Error(`'${path}' is no path of the service: it has to begin with /`);
    const url = new URL(this.#base + path);
    const name = how.name ?? `${method} ${url.pathname}`;
    const start = performance.now();
    this.#record.begin();
    /** @type {import('./scenario.js').Answer | undefined} */
    let answer;
    /** @type {{ error?: string, unreachable?: boolean }} */
    let fault = {};
    try {
      answer = await this.#send(method, url, how);
      if (!isExpected(answer.status, how.expect)) fault = { error: `status ${answer.status}` };
    } catch (error) {
      fault = inWords(error);
    }
    this.#record.end({ name, ms: performance.now() - start, ...fault });
    if (!answer || fault.error) throw new RequestFailed(fault.error);
    return answer;
  }

  /** Cuts what is under way. */
  async close() {
    await this.#service.destroy();
  }

  /** @param {string} method @param {URL} url @param {import('./scenario.js').How} how */
  async #send(method, { href, pathname, search }, { form, json, headers }) {
    const cookie = this.#cookies.getCookieStringSync(href);
    const [type, body] = bodyOf(form, json);
    const {
      statusCode,
      headers: answered,
      body: read,
    } = await this.#service.request({
      method: /** @type {import('undici').Dispatcher.HttpMethod} */ (method),
      path: pathname + search,
      headers: { ...(cookie && { cookie }), ...(type && { 'content-type': type }), ...headers },
      body,
    });
    for (const line of [answered['set-cookie'] ?? []].flat())
      this.#cookies.setCookieSync(line, href, { ignoreError: true });
    const text = await read.text();
    return { status: statusCode, headers: answered, text, json: () => JSON.parse(text) };
  }
}

/** @param {Readonly<Record<string, string>>} [form] @param {unknown} [json] @returns {[string?, string?]} */
function bodyOf(form, json) {
  if (form) return ['application/x-www-form-urlencoded', new URLSearchParams(form).toString()];
  if (json !== undefined) return ['application/json', JSON.stringify(json)];
  return [];
}

/** @param {number} status @param {number | readonly number[]} [expect] */
function isExpected(status, expect) {
  return expect === undefined ? status < 400 : [expect].flat().includes(status);
}

/** Without ports and addresses of its own, so that all of a kind are counted together. @param {any} error */
function inWords(error) {
  const code = error?.code ?? error?.errors?.[0]?.code;
  if (code === 'ECONNREFUSED') return { error: 'connection refused', unreachable: true };
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET')
    return { error: 'connection closed by the service' };
  if (/TIMEOUT/.test(code ?? '')) return { error: 'no answer in time' };
  return { error: code ?? String(error?.message ?? error).split('\n')[0] };
}
