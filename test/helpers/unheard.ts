import { setImmediate as turn } from 'node:timers/promises';

const EVENTS = ['unhandledRejection', 'uncaughtException'] as const;

/** What would have ended the process while `work` ran, and just after. */
export async function unheard(work: () => unknown): Promise<unknown[]> {
  const heard: unknown[] = [];
  const hear = (error: unknown): void => void heard.push(error);
  const before = EVENTS.map((event) => [event, process.rawListeners(event)] as const);
  for (const event of EVENTS) process.removeAllListeners(event).on(event, hear);
  try {
    await work();
    for (let i = 0; i < 3; i++) await turn(); // Node tells of them once it has nothing else to do
  } finally {
    for (const [event, listeners] of before) {
      process.removeAllListeners(event);
      for (const listener of listeners) process.on(event, listener as () => void);
    }
  }
  return heard;
}
