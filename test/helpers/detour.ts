import { connect } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { type TcpServer, tcpServer } from './tcp-server.ts';

/** A proxy to the server on `target.port`, which a test may change; open connections stay where they are. */
export function detour(target: { port: number }): Promise<TcpServer> {
  return tcpServer((socket) => {
    const upstream = connect(target.port, '127.0.0.1');
    pipeline(socket, upstream, socket).catch(() => {});
  });
}
