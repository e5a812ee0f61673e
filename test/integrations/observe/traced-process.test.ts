import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Child } from '../../helpers/child.ts';
import { useServer } from '../../helpers/redis.ts';

const server = useServer();
const SCRIPT = fileURLToPath(new URL('../../fixtures/traced.cjs', import.meta.url));

const UNSET = 0;
const ERROR = 2;

test('OpenTelemetry that was set up first sees each command end, and no process ends of it', async ({
  onTestFinished,
}) => {
  const child = new Child(server.url, '', {}, SCRIPT);
  onTestFinished(() => child.kill());
  const { code, stderr } = await child.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(child.told.map(({ what }) => JSON.parse(what))).toEqual([
    ['success', 'x'],
    ['error', 'ERR'],
    ['large', 100_000],
    ['lease', 'x'],
    ['killed', 'POOL_CONNECTION_LOST'],
    [
      'spans',
      ['get', UNSET, true],
      ['incr', ERROR, true],
      ['get', UNSET, true],
      ['get', UNSET, true],
      ['blpop', ERROR, true],
      ['client', UNSET, true],
    ],
  ]);
});
