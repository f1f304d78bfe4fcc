import { once } from 'node:events';
import { sampleApp } from './app.ts';

const host = process.env['APP_HOST'] ?? '127.0.0.1';
const server = sampleApp({ webhookSecret: process.env['APP_WEBHOOK_SECRET'] || undefined }).listen(Number(process.env['APP_PORT'] ?? 8405), host);
await once(server, 'listening');
console.log(`Sample app on ${host}`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => server.close());
