import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';

export declare function gracefulStop(
  server: HttpServer | HttpsServer,
  options?: { idleMs?: number; mostMs?: number },
): () => Promise<void>;
