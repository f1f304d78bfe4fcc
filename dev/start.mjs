import { bootstrap } from './bootstrap.mjs';

await bootstrap({ script: 'dev/main.ts', args: process.argv.slice(2), java: true });
