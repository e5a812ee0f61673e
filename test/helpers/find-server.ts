import { installOthers } from '../../tools/install-others.js';
import { findServer, installServer, startServer } from '../../tools/redis-server.js';

/** Runs once before all tests: those on a real server start it themselves, but it has to be there, and to start. */
export default async function setup(): Promise<void> {
  const binary = findServer() ?? (await installServer());
  const server = await startServer({ binary });
  await server.stop();
  installOthers();
}
