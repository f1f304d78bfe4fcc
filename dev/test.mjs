import { bootstrap } from './bootstrap.mjs';

const args = process.argv.slice(2);
await bootstrap({ script: 'dev/test.ts', args, java: !args.includes('--fast'), onFailure: () => console.log('0 passed, 1 failed') });
