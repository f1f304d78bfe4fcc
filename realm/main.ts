import { parseArgs } from 'node:util';
import { realmAdmin } from './admin.ts';
import type { Blocker, Change } from './change.ts';
import { loadAccess, loadConfig } from './config.ts';
import { makePlan, namedVariables } from './plan.ts';
import { Refusal } from './refusal.ts';
import { planRemoval, planStock, type TakenOut } from './take-out.ts';

const USAGE = `Usage: npm run realm -- plan | apply | stock | remove [--json] [--yes] [--now]
  plan    shows what would change, and changes nothing
  apply   makes these changes
  stock   binds the flows of before, and switches the client policy off
  remove  takes everything out; needs --yes; --now does not wait for sign-ins under way`;

/** Exit codes. */
const DONE = 0;
const FAILED = 1;
const TO_DO = 2;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, yes: { type: 'boolean', default: false }, now: { type: 'boolean', default: false } },
  });
  process.exitCode = await run(positionals, values);
} catch (error) {
  console.error(`realm: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = FAILED;
}

async function run([command, ...others]: readonly string[], options: { json: boolean; yes: boolean; now: boolean }): Promise<number> {
  if (others.length > 0) throw new Refusal(USAGE);
  if (command === 'plan') return plan(options);
  if (command === 'apply') return apply();
  if (command === 'stock') return takeOut(await planStock(realmAdmin(loadAccess(process.env))), true, 'The flows of before are bound.');
  if (command === 'remove') return takeOut(await planRemoval(realmAdmin(loadAccess(process.env)), { now: options.now || !options.yes }), options.yes, 'Vestibule is out of this realm.');
  throw new Refusal(USAGE);
}

async function plan({ json }: { json: boolean }): Promise<number> {
  const { access, settings } = loadConfig(process.env, namedVariables());
  const { changes, blockers, notes } = await makePlan(access, settings);
  if (json) console.log(JSON.stringify({ blockers, changes, notes }, null, 2));
  else {
    printChanges(changes);
    for (const note of changes.length === 0 ? [] : notes) console.log(`note  ${note}`);
    printBlockers(blockers);
    console.log(changes.length === 0 ? 'Nothing to change.' : `${changes.length} to change. Nothing was changed; npm run realm -- apply does it.`);
  }
  return changes.length + blockers.length === 0 ? DONE : TO_DO;
}

async function apply(): Promise<number> {
  const { access, settings } = loadConfig(process.env, namedVariables());
  const admin = realmAdmin(access);
  const { changes, blockers, notes } = await makePlan(access, settings, admin);
  if (blockers.length > 0) {
    printBlockers(blockers);
    throw new Refusal('Nothing was changed. Settle what is said above, then run apply again.');
  }
  for (const note of changes.length === 0 ? [] : notes) console.log(`note  ${note}`);
  await makeAll(changes);
  if (changes.length === 0) console.log('Nothing to change.');
  else {
    const left = await makePlan(access, settings, admin);
    if (left.changes.length > 0) {
      printChanges(left.changes);
      throw new Error('This is still otherwise after the changes. Somebody else is changing the realm, or this is a fault of ours: run plan again.');
    }
    console.log(`Done: ${changes.length} changed, and a second look finds nothing. npm run doctor -- realm says what else the realm should have.`);
  }
  return DONE;
}

async function takeOut({ changes, notes, waitsUntil }: TakenOut, agreed: boolean, done: string): Promise<number> {
  if (!agreed) {
    printChanges(changes);
    for (const note of notes) console.log(`note  ${note}`);
    console.log('Nothing was changed. This can only be undone by apply, with new client ids: add --yes to do it.');
    return TO_DO;
  }
  const begun = performance.now();
  await makeAll(changes);
  for (const note of notes) console.log(`note  ${note}`);
  if (waitsUntil !== undefined) {
    console.log(`Bound back, not yet out: run remove again after ${new Date(waitsUntil).toISOString()}.`);
    return TO_DO;
  }
  console.log(changes.length === 0 ? 'Nothing to change.' : `${done} ${((performance.now() - begun) / 1000).toFixed(1)} s.`);
  return DONE;
}

async function makeAll(changes: readonly Change[]): Promise<void> {
  for (const change of changes) {
    await change.make();
    printChanges([change], 'done  ');
  }
}

function printChanges(changes: readonly Change[], mark = ''): void {
  for (const { subject, what, why, before, after } of changes) {
    console.log(`${mark || (before === undefined ? '+     ' : '~     ')}${subject}: ${what}`);
    if (mark) continue;
    if (before !== undefined) console.log(`      from  ${before}`);
    if (after !== undefined) console.log(`      to    ${after}`);
    console.log(`      → ${why}.`);
  }
}

function printBlockers(blockers: readonly Blocker[]): void {
  for (const { subject, detail, advice } of blockers) console.log(`STOP  ${subject} ${detail}\n      → ${advice}`);
}
