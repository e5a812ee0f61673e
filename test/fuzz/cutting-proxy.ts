import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Passes bytes on to `port`, and what comes back in pieces that end anywhere. */
export async function cuttingProxy(
  port: number,
  random: () => number,
): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far])
      sockets.add(socket.on('error', () => socket.destroy()).setNoDelay(true));
    near.pipe(far);
    far.on('data', (data) => cut(data, near, far));
    far.on('close', () => near.end());
  });
  const cut = (data: Buffer, near: Socket, far: Socket): void => {
    far.pause();
    const next = (at: number): void => {
      if (at >= data.length) return void far.resume();
      const to = at + 1 + Math.floor(random() ** 3 * 65_536);
      near.write(data.subarray(at, to));
      setImmediate(next, to);
    };
    next(0);
  };
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
