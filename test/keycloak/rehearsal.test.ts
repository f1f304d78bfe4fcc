import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from '@jest/globals';
import { addressHash } from '../../bridge/address/address-hash.ts';
import { secret } from '../../platform/secret.ts';
import { bridgeEnvironment } from '../support/doctor.ts';
import { eventually } from '../support/eventually.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { inbox, queryDatabase } from '../support/stack.ts';
import { step } from './support/breaking.ts';

const REHEARSES = /trial of app for (operations\+rehearsal-[0-9a-f]{8}@example\.com):/;

const admin = keycloakAdmin();

interface Rehearsal {
  status: number | null;
  output: string;
  faults: string;
  address: string;
}

function start(env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, ['bridge/rehearsal/main.ts'], { env: { ...process.env, ...bridgeEnvironment(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function rehearse(env: Record<string, string> = {}): Promise<Rehearsal> {
  const run = start(env);
  const [output, faults, [status]] = await Promise.all([text(run.stdout!), text(run.stderr!), once(run, 'close')]);
  return { status, output, faults, address: REHEARSES.exec(output)?.[1] ?? '' };
}

/** Of every rehearsal: rows, accounts, jobs. */
async function leftOvers(): Promise<unknown[]> {
  const rows = await queryDatabase(`select 'life' as what from bridge.life where rehearsal
    union all select 'registration' from bridge.registration where address like '%+rehearsal-%'
    union all select 'mail' from bridge.mail where address like '%+rehearsal-%'
    union all select 'request' from bridge.sign_up_request where address like '%+rehearsal-%'`);
  const users = (await admin.get('/users?search=rehearsal-')) as unknown[];
  return [...rows, ...users];
}

afterEach(async () => {
  await queryDatabase('delete from bridge.suppressed_mailbox');
});

test('SECURITY 27: a whole life of a marked trial, after one that was killed half-way; nothing is left of either', async () => {
  const killed = start();
  let output = '';
  killed.stdout!.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await eventually(() => output.includes('a password makes the account'), 60_000);
  killed.kill('SIGKILL');
  await once(killed, 'close');
  expect(await leftOvers()).not.toEqual([]);

  const rehearsal = await rehearse();
  expect(rehearsal.output).toContain('What a rehearsal before left behind is removed.');
  expect(rehearsal.output).not.toContain('FAIL');
  expect(rehearsal.output).toContain('What it made is removed.');
  expect(rehearsal.status).toBe(0);
  expect(Number(/A whole life in +([\d.]+) s/.exec(rehearsal.output)?.[1])).toBeLessThan(60);
  const subjects = (await inbox.messages()).filter(({ to }) => to === rehearsal.address).map(({ subject }) => subject.replace(/.*(invit|start|soon|has ended|is over).*/i, '$1').toLowerCase());
  expect(subjects.toReversed().slice(1)).toEqual(['soon', 'soon', 'has ended', 'is over']);
  expect(await leftOvers()).toEqual([]);
});

/** The end alone: no reminders, no grace to walk through. */
function shortLife(): { env: Record<string, string>; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'rehearsal-'));
  const file = join(folder, 'products.yaml');
  writeFileSync(file, readFileSync('products.yaml', 'utf8').replace(/reminder_days: .*/, 'reminder_days: []').replace(/grace_days: .*/, 'grace_days: 0'));
  return { env: { PRODUCTS_FILE: file }, remove: () => rmSync(folder, { recursive: true }) };
}

test('a flow that forgot the end is noticed, by name, and the trial is removed all the same', async () => {
  const life = shortLife();
  const undo = await step('vestibule browser', 'trial-expiration-authenticator', { requirement: 'DISABLED' })(admin);
  const { status, output } = await rehearse(life.env).finally(undo).finally(life.remove);
  expect(output).toMatch(/FAIL .*still let in by the cookie of the session in Keycloak and the password\n +→ npm run doctor -- realm/);
  expect(output).toContain('What it made is removed.');
  expect(status).toBe(1);
  expect(await leftOvers()).toEqual([]);
});

test('a mailbox that wants no mails is noticed before anything else is made', async () => {
  const hash = addressHash(secret(bridgeEnvironment()['ADDRESS_HASH_KEY']!)).mailbox('operations@example.com');
  await queryDatabase('insert into bridge.suppressed_mailbox values ($1, now())', [hash]);
  const { status, output } = await rehearse();
  expect(output).toMatch(/FAIL .*no invitation, but "suppressed"\n +→ The owner of REHEARSAL_ADDRESS pressed/);
  expect([status, await leftOvers()]).toEqual([1, []]);
});

test('without an address of its own it does not begin, and says so', async () => {
  expect(await rehearse({ REHEARSAL_ADDRESS: '' })).toMatchObject({ status: 2, output: '', faults: expect.stringContaining('REHEARSAL_ADDRESS: is not set') });
});
