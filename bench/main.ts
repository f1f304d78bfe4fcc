import { loadavg } from 'node:os';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { startTestStack } from '../test/support/setup/test-stack.ts';
import { STACK_VARIABLE } from '../test/support/stack-variable.ts';
import { billing } from './billing/billing.ts';
import { callbacks } from './callbacks/callbacks.ts';
import { enumeration } from './enumeration/enumeration.ts';
import { expiry } from './expiry.ts';
import { login } from './login.ts';
import { register } from './register/register.ts';
import { writePage } from './page.ts';
import { missesTarget } from './report.ts';
import { proxy } from './proxy/proxy.ts';
import { here, writeResults } from './results.ts';
import { signup } from './signup.ts';
import { start } from './start.ts';

interface Bench {
  /** On a stack that is started before the first of these, and ended before the first of the others. */
  onStack: boolean;
  /** Named or not. */
  always: boolean;
  run(options: { quick: boolean; rounds?: number }): Promise<object>;
}

/** In the order in which they run. `start` is the last: it may install the packages again. */
const BENCHES: Readonly<Record<string, Bench>> = {
  callbacks: { onStack: false, always: true, run: callbacks },
  billing: { onStack: false, always: true, run: billing },
  proxy: { onStack: false, always: true, run: proxy },
  login: { onStack: true, always: true, run: login },
  signup: { onStack: true, always: true, run: signup },
  register: { onStack: true, always: true, run: register },
  expiry: { onStack: true, always: true, run: expiry },
  enumeration: { onStack: true, always: false, run: enumeration },
  start: { onStack: false, always: true, run: start },
};

const BUSY_LOAD = 1;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: 'string' }, quick: { type: 'boolean', default: false } } });
const unknown = positionals.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(', ')}. Say which to run: npm run bench -- ${Object.keys(BENCHES).join(' | ')}`);
  process.exit(1);
}

let missed = false;
let stopStack: (() => Promise<void>) | undefined;
try {
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (positionals.length > 0 ? !positionals.includes(name) : !bench.always) continue;
    if (bench.onStack) await ensureStack();
    else await endStack();
    await measure(name, bench);
  }
} finally {
  await endStack();
}
if (missed) console.error('A target was missed.');
process.exit(missed ? 1 : 0);

async function measure(name: string, bench: Bench): Promise<void> {
  console.log(`\n${name}`);
  const before = here();
  if (loadavg()[0]! > BUSY_LOAD) console.log(`This machine does other work (load ${loadavg()[0]!.toFixed(1)}): ratios may be off.`);
  const results = await bench.run({ quick: values.quick, ...(values.rounds === undefined ? {} : { rounds: Number(values.rounds) }) });
  if (values.quick) return console.log('Not written: a quick run shows that it runs, not what it costs.');
  console.log(`Written to ${relative(process.cwd(), writeResults(name, before, results))}`);
  writePage();
  missed ||= missesTarget(results);
}

/** With durable databases, as in production. VESTIBULE_STACK takes a running one, started with its limits wide open. */
async function ensureStack(): Promise<void> {
  if (process.env[STACK_VARIABLE]) return;
  const { stop } = await startTestStack('stack', { durable: true });
  stopStack = stop;
}

async function endStack(): Promise<void> {
  if (stopStack === undefined) return;
  await stopStack();
  delete process.env[STACK_VARIABLE];
  stopStack = undefined;
}
