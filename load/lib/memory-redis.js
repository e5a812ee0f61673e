/** The Redis in memory of MockPool, in a process of its own, so that its CPU time can be told from all others'. */
import { MemoryServer } from '../../demo/memory-server.js';
import { MockServer } from '../.built/server.js';

const SAMPLE_MS = 200;

const server = new MemoryServer(MockServer);
const port = await server.listen();
process.send?.({ name: 'the Redis in memory of MockPool', port });
process.on('disconnect', () => process.exit());
setInterval(() => {
  const { user, system } = process.cpuUsage();
  const { open, total } = server;
  const [peak, commands, cpuSeconds] = [server.takePeak(), server.commands(), (user + system) / 1e6];
  process.send?.({ sample: { open, peak, total, commands, cpuSeconds, replyP99Ms: 0 } });
}, SAMPLE_MS);
