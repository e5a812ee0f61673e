import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { useServer } from '../helpers/redis.ts';

const server = useServer();

test.each(['pool', 'connect-redis'])(
  'the shop, its sessions in %s, does not let in whom it could not log in: it answers 500',
  async (store) => {
    const app = fork(join(import.meta.dirname, '../../load/shop/app.js'), [store, server.url, '2']);
    onTestFinished(() => void app.kill('SIGKILL'));
    const [{ port }] = await once(app, 'message');
    await server.observer.call('ACL', 'SETUSER', 'default', 'resetkeys');
    onTestFinished(() => void server.observer.call('ACL', 'SETUSER', 'default', 'allkeys'));
    const body = new URLSearchParams({ name: 'ann' });
    const login = () => fetch(`http://127.0.0.1:${port}/login`, { method: 'POST', body, redirect: 'manual' });
    expect((await login()).status).toBe(500);
    await server.observer.call('ACL', 'SETUSER', 'default', 'allkeys');
    expect((await login()).status).toBe(302);
  },
);
