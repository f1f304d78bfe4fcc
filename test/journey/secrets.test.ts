import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { environmentOf } from '../support/doctor.ts';
import { freshAddress } from '../support/person.ts';
import { STACK_VARIABLE } from '../support/stack-variable.ts';
import { inbox, queryDatabase, stack } from '../support/stack.ts';
import { invite, isSignedIn, signUp } from '../support/visitor.ts';

const PASSWORD = 'a pass phrase nobody else uses 4711';
/** Of people, services and logouts, those of tests that ran before too. */
const ANY_JWT = /eyJ[\w-]{10,}\.eyJ[\w-]{10,}/g;
const SCHEMAS = ['bridge', 'proxy', 'graphile_worker'];

function everyLogLine(): string {
  const folder = join(dirname(process.env[STACK_VARIABLE] ?? ''), 'logs');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('\n');
}

async function everyRow(): Promise<string> {
  const tables = await queryDatabase(`select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_schema = any($1) and table_type = 'BASE TABLE'`, [SCHEMAS]);
  const rows = await Promise.all(tables.map(({ name }) => queryDatabase(`select t::text as row from ${String(name)} t`)));
  return rows.flat().map(({ row }) => String(row)).join('\n');
}

async function everyMetric(): Promise<string> {
  const answers = await Promise.all(Object.values(stack().metrics).map((address) => fetch(address)));
  return (await Promise.all(answers.map((answer) => answer.text()))).join('\n');
}

test('SECURITY 14: no token, cookie, password or key of a whole sign-up reaches a log or a metric, or lies readable in a table', async () => {
  const address = freshAddress('ada');
  const link = await invite(address);
  const notMe = (await inbox.waitForMail(address)).links.find((one) => one.includes('/trial/not-me'))!;
  const { browser, page } = await signUp(link, undefined, PASSWORD);
  expect(isSignedIn(page)).toBe(true);
  const [environment, proxyEnvironment] = [environmentOf('bridge'), environmentOf('proxy')];
  const cookies = browser.cookies(stack().proxy);
  const secrets = {
    'the invitation token': new URL(link).searchParams.get('invitation_token')!,
    'the not-me token': new URL(notMe).searchParams.get('t')!,
    'the password': PASSWORD,
    'the session cookie': cookies['vestibule_dev']!,
    'Keycloak’s identity cookie': cookies['KEYCLOAK_IDENTITY'] ?? browser.cookies(`${stack().keycloak}/realms/${stack().realm}/`)['KEYCLOAK_IDENTITY']!,
    'the bridge’s client secret': environment['BRIDGE_CLIENT_SECRET']!,
    'the address hash key': environment['ADDRESS_HASH_KEY']!,
    'the database password': new URL(environment['BRIDGE_DATABASE_URL']!).password,
    'the proxy’s client secret': proxyEnvironment['PROXY_CLIENT_SECRET']!,
    'the key of sessions': proxyEnvironment['SESSION_ENCRYPTION_KEY']!,
    'the proxy’s database password': new URL(proxyEnvironment['PROXY_DATABASE_URL']!).password,
    'the admin’s password': stack().admin.password,
  };
  const written = { logs: everyLogLine(), tables: await everyRow(), metrics: await everyMetric() };
  expect(written.logs).toContain('mail sent');
  expect(written.tables).toContain(address);
  expect(written.metrics).toMatch(/vestibule_proxy_logins_total\{outcome="signed_in"\} [1-9]/);
  expect(written.metrics).toMatch(/vestibule_sign_up_steps_total\{step="outcome",outcome="confirmed"\} [1-9]/);
  expect(written.metrics).not.toContain(address);
  expect(written.metrics).not.toMatch(/="[^"]*(@|[0-9a-f]{8}-[0-9a-f]{4})/);
  const found = Object.entries(secrets).flatMap(([name, secret]) => Object.entries(written).flatMap(([where, text]) => (text.includes(secret) ? [`${name} in the ${where}`] : [])));
  expect(Object.values(secrets).filter((secret) => secret.length < 10)).toEqual([]);
  expect(found).toEqual([]);
  expect(Object.entries(written).flatMap(([where, text]) => (text.match(ANY_JWT) ?? []).map((jwt) => `a token in the ${where}: ${jwt.slice(0, 60)}…`))).toEqual([]);
});
