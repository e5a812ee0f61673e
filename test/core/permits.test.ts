import { expect, test } from 'vitest';
import { genericPoolPermits } from '../../src/core/generic-pool.ts';
import { engineContract } from './permits-contract.ts';

engineContract('generic-pool', genericPoolPermits);

test('one beyond the bound is a bug, and is said as one: generic-pool would let it wait', async () => {
  const permits = genericPoolPermits(1);
  await permits.acquire();
  await expect(permits.acquire()).rejects.toThrow(/^bug: a permit beyond maxActive 1$/);
});
