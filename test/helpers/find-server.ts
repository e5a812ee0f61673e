import { findServer, installServer } from '../../tools/redis-server.js';

/** Runs once before all tests: those on a real server start it themselves, but it has to be there. */
export default async function setup(): Promise<void> {
  if (!findServer()) await installServer();
}
