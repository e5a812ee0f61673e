import { isPoolError } from '../../src/api/errors.ts';

/** The message of the error that `run` throws, which has to be POOL_INVALID_OPTION. */
export function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isPoolError(error, 'POOL_INVALID_OPTION')) return error.message;
    throw error;
  }
  throw new Error('was not refused');
}
