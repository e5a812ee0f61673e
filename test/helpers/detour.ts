import { connect } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { type TcpServer, tcpServer } from './tcp-server.ts';

/** A name that leads to the server on `port` of `target`, which a test may change; what is open goes on. */
export function detour(target: { port: number }): Promise<TcpServer> {
  return tcpServer((socket) => {
    const upstream = connect(target.port, '127.0.0.1');
    pipeline(socket, upstream, socket).catch(() => {});
  });
}
