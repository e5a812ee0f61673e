import { version } from 'ioredis/package.json';
import { expect, test } from 'vitest';
import { newClient, useServer } from '../helpers/redis.ts';

const server = useServer();

test('each project runs on the major of ioredis that its name says', async ({ task }) => {
  const major = /^ioredis (\d+)$/.exec(task.file.projectName ?? '')?.[1];
  expect(['5', '6']).toContain(major);
  expect(version.split('.')[0]).toBe(major);
  // And the library got the same one: 6 speaks RESP3, 5 cannot.
  const pool = server.pool({ createClient: newClient });
  const own = server.pool();
  for (const one of [pool, own]) {
    const id = await one.use((redis) => redis.client('ID'));
    expect(await server.client(id)).toMatchObject({ resp: major === '6' ? '3' : '2' });
  }
});
