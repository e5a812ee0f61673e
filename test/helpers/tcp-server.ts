import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A server that does to a connection what `greet` does, until the test is over. */
export interface TcpServer {
  readonly port: number;
  readonly url: string;
  /** Those that are open. */
  readonly sockets: ReadonlySet<Socket>;
  /** How many there ever were. */
  accepted: number;
  /** Ends all, and accepts no more. */
  close(): void;
}

export async function tcpServer(greet: (socket: Socket) => void): Promise<TcpServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    made.accepted++;
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    greet(socket);
  });
  server.listen(0, '127.0.0.1');
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  onTestFinished(close);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const made = { port, url: `redis://127.0.0.1:${port}`, sockets, accepted: 0, close };
  return made;
}

/** Accepts, reads, and never answers. */
export const mute = (socket: Socket): void => void socket.resume();
