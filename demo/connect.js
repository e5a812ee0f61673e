import { Redis } from 'ioredis';

/**
 * One connection, which is never made again once it is lost.
 *
 * @param {string} url
 * @throws {Error} the reason, where ioredis would say "Connection is closed."
 */
export async function connect(url) {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  /** @type {Error | undefined} */
  let reason;
  redis.on('error', (error) => {
    reason ??= error;
  });
  try {
    await redis.connect();
    return redis;
  } catch (error) {
    redis.disconnect();
    throw reason ?? error;
  }
}
