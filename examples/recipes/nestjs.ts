import { Global, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Pool, type RedisPool } from 'bounded-redis-pool';

/** Inject it where Redis is needed: `constructor(private readonly redis: RedisService) {}`. */
@Injectable()
export class RedisService implements OnApplicationShutdown {
  readonly pool: RedisPool = new Pool(process.env['REDIS_URL'], { name: 'nest' });

  /** Called by `app.close()` when the HTTP server is closed. onModuleDestroy() would come before, while requests need the pool. */
  onApplicationShutdown(): Promise<void> {
    return this.pool.close({ graceMs: 2000 });
  }
}

@Global()
@Module({ providers: [RedisService], exports: [RedisService] })
export class RedisModule {}
