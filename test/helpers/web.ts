import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** Serves with `handler` until the test is over, and returns the URL. */
export async function serve(handler: RequestListener): Promise<string> {
  const server = createServer({ keepAliveTimeout: 0 }, handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What a browser does: it keeps its cookies. */
export class Visitor {
  readonly #cookies = new Map<string, string>();
  /** Where it goes. */
  url: string;

  constructor(url: string) {
    this.url = url;
  }

  async ask(path: string): Promise<string> {
    const cookie = [...this.#cookies].map((pair) => pair.join('=')).join('; ');
    // A connection for each request: one that is kept may be closed, as idle for too long, just when it is used again.
    const request = get(this.url + path, { agent: false, headers: cookie ? { cookie } : {} });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    for (const line of response.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.#cookies.set(name, value);
    }
    return `${response.statusCode} ${await text(response)}`;
  }
}

/**
 * Asks over one connection, again and again, until an answer says that the connection ends with it. Returns how it
 * ended. Who has not asked for a while, as on a busy machine, finds the connection closed, and is refused a new one.
 */
export async function askOn(url: string, answered: () => void): Promise<unknown> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  for (;;) {
    const request = get(url, { agent });
    try {
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      await text(response);
      if ((response.statusCode ?? 500) >= 500) return response.statusCode;
      if (response.headers.connection === 'close') return 'nothing lost';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'nothing lost' : error;
    }
    answered();
  }
}
