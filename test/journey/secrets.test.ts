import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { secret } from '../../platform/secret.ts';
import type { Tokens } from '../../proxy/provider/provider.ts';
import { createSeal } from '../../proxy/seal.ts';
import { send } from '../proxy/support/browser.ts';
import { environmentOf } from '../support/doctor.ts';
import { freshAddress } from '../support/person.ts';
import { STACK_VARIABLE } from '../support/stack-variable.ts';
import { inbox, queryDatabase, stack } from '../support/stack.ts';
import { invite, isSignedIn, signUp } from '../support/visitor.ts';

const PASSWORD = 'a pass phrase nobody else uses 4711';
/** Of people, services and logouts, those of tests that ran before too. */
const ANY_JWT = /eyJ[\w-]{10,}\.eyJ[\w-]{10,}/g;
/** Of links in mails: tokens have 43 characters or more. */
const TOKEN = /[\w-]{40,}/g;
const SCHEMAS = ['bridge', 'proxy', 'graphile_worker'];
const SECRET_SETTING = /(SECRET|_KEY|PASSWORD)(_|$)/;

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

/** What the parts are configured with. */
function configured(): string[] {
  return (['bridge', 'proxy'] as const).flatMap((part) =>
    Object.entries(environmentOf(part)).flatMap(([name, value]) => [
      ...(SECRET_SETTING.test(name) && !name.endsWith('SITE_KEY') && !name.endsWith('_FILE') ? value.split(/\\n|\n/) : []),
      ...(URL.canParse(value) ? [decodeURIComponent(new URL(value).password)] : []),
    ]),
  );
}

/** Of everybody whom the proxy knows by now: tokens, and what sign-ins keep for their callbacks. */
async function sealed(): Promise<string[]> {
  const seal = createSeal([secret(environmentOf('proxy')['SESSION_ENCRYPTION_KEY']!)]);
  const sessions = (await queryDatabase('select sealed_tokens as text from proxy.session')).flatMap(({ text }) => seal.open<Tokens>('session', String(text)) ?? []);
  const logins = (await queryDatabase('select sealed as text from proxy.login_transaction')).flatMap(({ text }) => seal.open<{ checks: Record<'state' | 'nonce' | 'codeVerifier', string>; invitationToken?: string }>('login', String(text)) ?? []);
  expect([sessions.length > 0, logins.length > 0]).toEqual([true, true]);
  return [...sessions.flatMap(({ idToken, accessToken, refreshToken = '' }) => [idToken, accessToken, refreshToken]), ...logins.flatMap(({ checks, invitationToken = '' }) => [checks.state, checks.nonce, checks.codeVerifier, invitationToken])];
}

/** What goes wrong for people and programs, with what they have. */
async function errorPages(given: { callback: string; invitation: string; session: string; notMe: string }): Promise<string> {
  const { proxy, bridge } = stack();
  const page = { accept: 'text/html', 'sec-fetch-mode': 'navigate' };
  const bearer = { authorization: `Bearer ${given.session}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ username: '', token: given.invitation, invitation_token: given.invitation });
  const answers = await Promise.all([
    ...[given.callback, `${proxy}/api/login?invitation_token=${given.invitation}!`, `${proxy}/api/login/nothing?t=${given.notMe}`, `${proxy}/trial/nothing?t=${given.notMe}`, `${proxy}/%2f?t=${given.notMe}`].map((url) => send(url, { headers: page })),
    send(`${proxy}/`, { headers: { accept: 'application/json', cookie: `vestibule_dev=${given.session}x` } }),
    send(`${proxy}/api/logout/back-channel`, { method: 'POST', form: { logout_token: given.session } }),
    send(`${proxy}/api/trial/register`, { method: 'POST', headers: bearer, body }),
    ...['/api/trial/verify', '/api/trial/creation'].map((path) => send(bridge + path, { method: 'POST', headers: bearer, body })),
    ...['/api/trial/infos?username=x', '/api/trial/changes', `/nothing?t=${given.notMe}`].map((path) => send(bridge + path, { headers: bearer })),
  ]);
  expect(answers.filter(({ status }) => status < 400).map(({ body: text }) => text)).toEqual([]);
  return answers.map(({ body: text }) => text).join('\n');
}

test('SECURITY 14: no token, code, cookie, password or key that is in use reaches a log, a metric or an error page, or lies readable in a table', async () => {
  const address = freshAddress('ada');
  const link = await invite(address);
  const mailed = (await inbox.messages()).flatMap(({ links }) => links);
  const notMe = new URL(mailed.find((one) => one.includes('/trial/not-me'))!).searchParams.get('t')!;
  const { browser, page } = await signUp(link, undefined, PASSWORD);
  expect(isSignedIn(page)).toBe(true);
  const callback = page.hops.find((hop) => hop.includes('/api/callback'))!;
  const cookies = { ...browser.cookies(`${stack().keycloak}/realms/${stack().realm}/`), ...browser.cookies(stack().proxy) };
  const invitation = new URL(link).searchParams.get('invitation_token')!;
  const pages = await errorPages({ callback, invitation, session: cookies['vestibule_dev']!, notMe });
  const secrets = new Set([
    PASSWORD,
    invitation,
    notMe,
    new URL(callback).searchParams.get('code')!,
    stack().admin.password,
    ...Object.values(cookies),
    ...mailed.flatMap((one) => one.match(TOKEN) ?? []),
    ...configured(),
    ...(await sealed()),
  ].filter((one) => one.length >= 10));
  for (const held of [PASSWORD, cookies['vestibule_dev'], cookies['KEYCLOAK_IDENTITY'], environmentOf('proxy')['PROXY_CLIENT_SECRET'], new URL(callback).searchParams.get('state')]) expect([...secrets]).toContain(held);
  const written = { logs: everyLogLine(), tables: await everyRow(), metrics: await everyMetric(), pages };
  expect(written.logs).toContain('mail sent');
  // Of a part that logs everything.
  expect(written.logs).toContain('"level":20');
  expect(written.tables).toContain(address);
  expect(written.metrics).toMatch(/vestibule_proxy_logins_total\{outcome="signed_in"\} [1-9]/);
  expect(written.metrics).toMatch(/vestibule_sign_up_steps_total\{step="outcome",outcome="confirmed"\} [1-9]/);
  expect(written.metrics).not.toContain(address);
  expect(written.metrics).not.toMatch(/="[^"]*(@|[0-9a-f]{8}-[0-9a-f]{4})/);
  const found = Object.entries(written).flatMap(([where, text]) => [...secrets].filter((one) => text.includes(one) || text.includes(Buffer.from(one).toString('hex'))).map((one) => `${one} in the ${where}`));
  expect(found).toEqual([]);
  expect(Object.entries(written).flatMap(([where, text]) => (text.match(ANY_JWT) ?? []).map((jwt) => `a token in the ${where}: ${jwt.slice(0, 60)}…`))).toEqual([]);
});
