/** The server of a bench, and what it says about itself. */
import { findServer, installServer, startServer } from '../../tools/redis-server.js';

export async function serverBinary() {
  return findServer() ?? (await installServer());
}

/** Starts a server; takes the options of `startServer`. */
export async function startBenchServer(options) {
  return startServer({ binary: await serverBinary(), ...options });
}

/** Reads numbers out of what INFO replies, by the names of their fields. */
export function numbersOf(info) {
  return (field) => Number(new RegExp(`^${field}:([\\d.]+)`, 'm').exec(info)[1]);
}
