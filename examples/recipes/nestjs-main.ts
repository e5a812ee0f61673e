import { NestFactory } from '@nestjs/core';
import { gracefulStop } from '../graceful-stop.cjs'; // beside package.json, since tsc does not copy it
import { AppModule } from './app.module.js';

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  const stop = gracefulStop(app.getHttpServer());
  // In place of app.enableShutdownHooks(), which closes connections over which a request may be on its way.
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, async () => {
      await stop(); // answers what is under way
      await app.close(); // calls the hooks, and so closes the pool
      if (process.connected) process.disconnect(); // else the channel to PM2 keeps this process alive
    });
  }
  await app.listen(process.env['PORT'] ?? 3000);
  process.send?.('ready'); // to PM2, with wait_ready
}

void bootstrap();
