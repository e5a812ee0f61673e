import { expect, onTestFinished, test } from 'vitest';
import { PoolSessionStore } from '../../src/integrations/session/index.ts';
import { useServer } from '../helpers/redis.ts';
import { rideOut } from './express.ts';

const server = useServer();

test.each([0.3, 1.5])(
  'an app with sessions in a PoolSessionStore fails no request while Redis restarts, away for %d s',
  async (seconds) => {
    const store = new PoolSessionStore({ pool: server.url });
    onTestFinished(() => store.close());
    const { requests, failed, longestMs } = await rideOut(server, store, seconds * 1000);
    expect(requests).toBeGreaterThan(100);
    expect(longestMs).toBeGreaterThan(seconds * 500); // it was felt
    expect(failed).toBe(0);
  },
);
