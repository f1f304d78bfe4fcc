import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import startStack from '../test/support/setup/stack.ts';
import stopStack from '../test/support/setup/stack-teardown.ts';
import { enumeration } from './enumeration/enumeration.ts';
import { writeResults } from './results.ts';

/**
 * `npm run bench -- <name> [--rounds 300]`. It starts a stack of its own, or takes the one whose stack.json
 * VESTIBULE_STACK names; that one must have been started with its limits wide open.
 */
const BENCHES: Readonly<Record<string, (options: { rounds?: number }) => Promise<object>>> = { enumeration };

const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: 'string' } } });
const unknown = positionals.filter((name) => !(name in BENCHES));
if (positionals.length === 0 || unknown.length > 0) {
  console.error(`Say which bench to run: npm run bench -- ${Object.keys(BENCHES).join(' | ')}`);
  process.exit(1);
}

await startStack();
try {
  for (const name of positionals) {
    const results = await BENCHES[name]!(values.rounds === undefined ? {} : { rounds: Number(values.rounds) });
    console.log(`\nWritten to ${relative(process.cwd(), writeResults(name, results))}`);
  }
} finally {
  await stopStack();
}
