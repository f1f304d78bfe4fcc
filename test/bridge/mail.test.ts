import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { SMTPServer } from 'smtp-server';
import { openInbox } from '../../dev/inbox/inbox.ts';
import { addJob } from '../../bridge/db/job.ts';
import { BILLING_MAIL_KINDS } from '../../bridge/db/remote-billing.schema.ts';
import { isRefused, isRefusedForGood, smtpTransport } from '../../bridge/mail/transport.ts';
import { secret } from '../../platform/secret.ts';
import { openRelay } from '../support/relay.ts';
import { CONTACT_URL, creationOf, eventually, NOW, openBridge, PROXY_URL, type TestBridge } from './support/bridge.ts';

const MINUTE = 60;
const DAY = 86_400;
const UNLIMITED = { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '100000', REGISTER_LIMIT_PER_MINUTE: '100000' };

let bridge: TestBridge;
let address: string;
beforeAll(async () => {
  bridge = await openBridge({ env: UNLIMITED, product: { blocked_domains: ['blocked.example'] } });
});
afterAll(() => bridge.close());
beforeEach(() => {
  bridge.clock.set(NOW);
  address = `ada.${randomUUID()}@example.com`;
});

async function register(given: Record<string, unknown> = {}, headers: Record<string, string> = {}) {
  const answer = await bridge.send('/api/trial/register', { body: { username: address, ...given }, headers });
  expect(answer.status).toBe(202);
  await bridge.settled();
}
const mailsTo = (to: string) => bridge.inbox.messages().filter((message) => message.to === to);
const lastMail = () => {
  const [message] = mailsTo(address);
  if (message === undefined) throw new Error('no mail came');
  return message;
};
const linkIn = (start: string) => new URL(lastMail().links.find((link) => link.startsWith(start)) ?? 'none:');
const tokenOf = () => linkIn(`${PROXY_URL}/api/login`).searchParams.get('invitation_token') ?? '';
const notMe = () => linkIn(`${PROXY_URL}/trial/not-me`).searchParams.get('t') ?? '';
const resultOf = async (to: string) =>
  (await bridge.db.selectFrom('bridge.sign_up_request').select('result').where('address', '=', to).orderBy('requested_at', 'desc').orderBy('id').execute()).map((row) => row.result);
const signUp = async () => {
  await register();
  const creation = creationOf(tokenOf(), { username: address });
  await bridge.asStep('/api/trial/creation', creation);
  await bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome: 'committed' });
  return bridge.accounts.add({ id: creation.user_id, username: address });
};

test('who used Keycloak in a language that we have no mails in gets them in the product’s', async () => {
  await register();
  const creation = creationOf(tokenOf(), { username: address, locale: 'de' });
  await bridge.asStep('/api/trial/creation', creation);
  await bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome: 'committed' });
  await bridge.asManager('/api/trial/extend', { user_id: creation.user_id, days: 3, reason: 'They asked.' });
  await bridge.settled();
  await eventually(async () => mailsTo(address).length === 2);
});

describe('an invitation', () => {
  test('leads to the proxy with a token that verifies, and the next page', async () => {
    await register({ next_page: '/start?x=1' });
    const link = linkIn(`${PROXY_URL}/api/login`);
    expect(link.searchParams.get('next_page')).toBe('/start?x=1');
    const token = link.searchParams.get('invitation_token') ?? '';
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect((await bridge.asStep('/api/trial/verify', { token })).body).toMatchObject({ valid: true, username: address });
  });

  test('is stored as a hash only: no row, no job and no log line holds its token (SECURITY.md 14)', async () => {
    await register();
    const token = tokenOf();
    const { rows: tables } = await sql<{ name: string }>`select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('bridge', 'graphile_worker')`.execute(bridge.db);
    const contents = await Promise.all(tables.map(({ name }) => sql<{ row: string }>`select t::text as row from ${sql.raw(name)} t`.execute(bridge.db)));
    const everything = contents.flatMap(({ rows }) => rows.map(({ row }) => row)).join('\n');
    expect(everything).toContain(address);
    expect(everything).not.toContain(token);
    expect(bridge.log()).toContain('mail sent');
    expect(bridge.log()).not.toContain(token);
  });

  test('holds no text of the request (SECURITY.md 11)', async () => {
    await register({ firstname: 'Visit-evil.example', lastname: 'Now', company: 'Act quickly' });
    const { html, text, subject } = lastMail();
    expect(html + text + subject).not.toMatch(/evil|Act quickly/);
  });

  test('is built from configuration only (SECURITY.md 10)', async () => {
    await register({}, { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example', 'x-forwarded-proto': 'https' });
    expect(lastMail().links.filter((link) => !link.startsWith(PROXY_URL))).toEqual([]);
  });

  test.each([
    ['en', 'Verify your e-mail to start your free trial of Vestibule sample app', 'Saturday, November 28, 2026'],
    ['fr', 'Confirmez votre e-mail pour commencer l’essai gratuit de Vestibule sample app', 'samedi 28 novembre 2026'],
  ])('in %s says until when, in the words and the time zone of the product', async (locale, subject, date) => {
    await register({ locale });
    expect(lastMail().subject).toBe(subject);
    expect(lastMail().text).toContain(date);
    expect(lastMail().text).toContain('UTC');
    expect(lastMail().html).toContain(`<html lang="${locale}">`);
  });

  test('again leaves the earlier one good until one is used', async () => {
    await register();
    const first = tokenOf();
    bridge.clock.pass(MINUTE);
    await register();
    expect(tokenOf()).not.toBe(first);
    expect((await bridge.asStep('/api/trial/verify', { token: first })).body).toMatchObject({ valid: true });
  });
});

describe('which mail is sent', () => {
  test('to a known address: welcome back, with sign-in and password reset', async () => {
    bridge.accounts.add({ username: address });
    await register();
    expect(lastMail().subject).toBe('Welcome back to Vestibule sample app');
    expect(lastMail().links).toContain(`${PROXY_URL}/api/login?lang=en`);
    expect(lastMail().links).toContain('http://keycloak.test/realms/vestibule/login-actions/reset-credentials?client_id=vestibule-proxy&redirect_uri=http%3A%2F%2Fproxy.test%2Fapi%2Flogin&kc_locale=en');
    expect(lastMail().text).not.toContain('invitation_token');
  });

  test('to an address that a squatter holds unverified: an invitation (SECURITY.md 5)', async () => {
    bridge.accounts.add({ username: address, emailVerified: false });
    await register();
    expect(tokenOf()).not.toBe('');
  });

  test('to somebody in the middle of a trial: welcome back', async () => {
    await signUp();
    bridge.clock.pass(DAY);
    await register();
    expect(lastMail().subject).toContain('Welcome back');
  });

  test('to somebody whose trial is over: your trial ended, with the way back', async () => {
    await signUp();
    bridge.clock.pass(17 * DAY);
    await register();
    expect(lastMail().subject).toBe('Your trial of Vestibule sample app has ended');
    expect(lastMail().links).toContain(CONTACT_URL);
  });

  test('to the next owner of an address whose trial is over: an invitation (SECURITY.md 3)', async () => {
    const { id } = await signUp();
    bridge.accounts.add({ id, username: `renamed.${address}` });
    bridge.clock.pass(17 * DAY);
    await register();
    expect(tokenOf()).not.toBe('');
  });

  test('waits while Keycloak does not answer, and comes then', async () => {
    bridge.accounts.fail(true);
    await register();
    expect(mailsTo(address)).toEqual([]);
    bridge.accounts.fail(false);
    await bridge.hurry();
    expect(mailsTo(address)).toHaveLength(1);
  });

  test.each(['blocked.example', 'mail.blocked.example'])('to an address at %s: none', async (domain) => {
    address = `ada.${randomUUID()}@${domain}`;
    await register();
    expect(mailsTo(address)).toEqual([]);
    expect(await resultOf(address)).toEqual(['blocked']);
  });
});

describe('a sign-up request', () => {
  test('is settled once, with one mail, however many runs of its job meet', async () => {
    const gate = Promise.withResolvers<void>();
    let waiting = 0;
    const findByAddress = async () => {
      waiting += 1;
      await gate.promise;
      return undefined;
    };
    const own = await openBridge({ env: { MAIL_LIMIT_SECONDS_BETWEEN: '0' }, accounts: { findByAddress, findById: findByAddress, check: async () => {} } });
    await own.send('/api/trial/register', { body: { username: address } });
    const { id } = await own.db.selectFrom('bridge.sign_up_request').select('id').executeTakeFirstOrThrow();
    for (let run = 1; run < 4; run += 1) await addJob(own.db, 'send_invitation', { sign_up_request_id: id });
    await eventually(async () => waiting === 4);
    gate.resolve();
    await own.settled();
    const mails = await own.db.selectFrom('bridge.mail').select('kind').execute();
    await own.close();
    expect(mails).toEqual([{ kind: 'invitation' }]);
  });
});

describe('the limits of a mailbox', () => {
  test('are a minute between two mails and five a day, answered like any other request', async () => {
    for (const seconds of [0, 59, 1, 60, 60, 60, 60]) {
      bridge.clock.pass(seconds);
      await register();
    }
    expect(mailsTo(address)).toHaveLength(5);
    bridge.clock.pass(DAY);
    await register();
    expect(mailsTo(address)).toHaveLength(6);
  });

  test('count plus tags as one (SECURITY.md 11)', async () => {
    const [local, domain] = address.split('@');
    for (const tag of ['', '+a', '+b']) {
      address = `${local}${tag}@${domain}`;
      await register();
    }
    expect(bridge.inbox.messages().filter((message) => message.to.startsWith(`${local}`))).toHaveLength(1);
  });

  test('hold for requests at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => bridge.send('/api/trial/register', { body: { username: address } })));
    await bridge.settled();
    expect(mailsTo(address)).toHaveLength(1);
  });
});

describe('"this wasn\'t me" (SECURITY.md 12)', () => {
  test('withdraws the open invitations and stops further mails, once and again', async () => {
    await register();
    const [token, disowning] = [tokenOf(), notMe()];
    const posted = [await bridge.asProxy('/api/trial/not-me', { token: disowning }), await bridge.asProxy('/api/trial/not-me', { token: disowning })];
    expect(posted.map((answer) => answer.status)).toEqual([200, 200]);
    expect((await bridge.asStep('/api/trial/verify', { token })).body).toEqual({ valid: false, reason: 'revoked', product: 'app' });
    bridge.clock.pass(DAY);
    await register();
    expect(mailsTo(address)).toHaveLength(1);
    expect(await resultOf(address)).toContain('suppressed');
  });

  test('with a token that nobody has answers the same', async () => {
    const answer = await bridge.asProxy('/api/trial/not-me', { token: 'x' });
    expect([answer.status, answer.body]).toEqual([200, { status: 'accepted' }]);
  });

  test('stands in every kind of mail', async () => {
    bridge.accounts.add({ username: address });
    await register();
    expect(notMe()).not.toBe('');
  });
});

test('a mail whose answer was lost comes twice, both links work, and one spends both', async () => {
  const inbox = await openInbox({ host: '127.0.0.1', smtpPort: 0 });
  const relay = await openRelay(inbox.smtpPort);
  const own = await openBridge({ env: UNLIMITED, smtpUrl: `smtp://127.0.0.1:${relay.port}` });
  relay.inject({ sees: '\r\n.\r\n', does: 'cut-answer' });
  await own.send('/api/trial/register', { body: { username: address } });
  await eventually(async () => inbox.messages().length === 1);
  await own.settled();
  await own.hurry();
  const tokens = inbox.messages().flatMap(({ links }) => links).map((link) => new URL(link).searchParams.get('invitation_token')).filter((token) => token !== null);
  expect(new Set(tokens).size).toBe(2);
  const verify = async (token: string) => (await own.asStep('/api/trial/verify', { token })).body['valid'];
  expect(await Promise.all(tokens.map(verify))).toEqual(tokens.map(() => true));
  const creation = creationOf(tokens.at(-1)!, { username: address });
  await own.asStep('/api/trial/creation', creation);
  await own.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome: 'committed' });
  expect(await Promise.all(tokens.map(verify))).toEqual(tokens.map(() => false));
  await own.close();
  await relay.close();
  await inbox.close();
});

describe('a mail server', () => {
  let smtp: SMTPServer;
  let answers: { rcpt?: number; data?: number };
  let taken: string[];
  let own: TestBridge;
  beforeAll(async () => {
    smtp = new SMTPServer({
      authOptional: true,
      disabledCommands: ['AUTH', 'STARTTLS'],
      onRcptTo: (_to, _session, done) => done(answers.rcpt ? Object.assign(new Error('no'), { responseCode: answers.rcpt }) : null),
      onData: (stream, _session, done) => {
        let raw = '';
        stream.on('data', (chunk: Buffer) => {
          raw += chunk.toString();
        });
        stream.on('end', () => {
          if (answers.data) return done(Object.assign(new Error('no'), { responseCode: answers.data }));
          taken.push(raw);
          return done();
        });
      },
    });
    smtp.listen(0, '127.0.0.1');
    await once(smtp.server, 'listening');
    own = await openBridge({ env: UNLIMITED, smtpUrl: `smtp://127.0.0.1:${(smtp.server.address() as AddressInfo).port}` });
  });
  beforeEach(() => {
    answers = {};
    taken = [];
  });
  afterAll(async () => {
    await own.close();
    await new Promise<void>((resolve) => {
      smtp.close(resolve);
    });
  });

  const ask = async () => {
    await own.send('/api/trial/register', { body: { username: address } });
    await own.settled();
  };
  const invitations = () => own.db.selectFrom('bridge.invitation').select('id').where('address', '=', address).execute();
  const mail = () => own.db.selectFrom('bridge.mail').select(['state', 'failure']).where('address', '=', address).executeTakeFirst();

  test.each([
    ['recipient', 'rcpt', 451],
    ['message', 'data', 451],
  ] as const)('that does not take the %s now gets it again, with one token left (%s %i)', async (_what, step, code) => {
    answers = { [step]: code };
    await ask();
    expect(await invitations()).toEqual([]);
    expect(await mail()).toMatchObject({ state: 'queued' });
    answers = {};
    await own.hurry();
    expect(taken).toHaveLength(1);
    expect(await invitations()).toHaveLength(1);
    expect(await mail()).toMatchObject({ state: 'sent' });
  });

  test('that refuses a recipient for good is not asked again', async () => {
    answers = { rcpt: 550 };
    await ask();
    answers = {};
    await own.hurry();
    expect(taken).toEqual([]);
    expect(await invitations()).toEqual([]);
    expect(await mail()).toEqual({ state: 'failed', failure: 'refused by the mail server' });
  });

  test('that stays away is asked again soon, and for more than a day in all, before the mail is given up', async () => {
    answers = { rcpt: 451 };
    await ask();
    const pauses: number[] = [];
    while ((await mail())?.state === 'queued') {
      const { rows } = await sql<{ seconds: number }>`select extract(epoch from run_at - now())::float8 as seconds from graphile_worker.jobs`.execute(own.db);
      expect(rows).toHaveLength(1);
      pauses.push(rows[0]!.seconds);
      await own.hurry();
    }
    expect(await mail()).toEqual({ state: 'failed', failure: 'given up after too many tries' });
    expect(pauses[0]).toBeLessThan(MINUTE);
    expect(pauses.reduce((sum, pause) => sum + pause, 0)).toBeGreaterThan(DAY);
  });

  test('that answers a little now and then is left once a try has taken its time, and the mail is none the worse', async () => {
    const dripping = createServer((socket) => {
      socket.on('error', () => {}).write('220 hello\r\n');
      socket.once('data', () => {
        const drip = setInterval(() => void socket.write('250-wait\r\n'), 20);
        socket.on('close', () => clearInterval(drip));
      });
    }).listen(0, '127.0.0.1');
    await once(dripping, 'listening');
    const transport = smtpTransport(secret(`smtp://127.0.0.1:${(dripping.address() as AddressInfo).port}`), PROXY_URL, 0.3);
    const failure = await transport.send({ id: '1', from: 'a@example.com', to: address, subject: '', html: '', text: '' }).catch((error: unknown) => error);
    expect([isRefused(failure), isRefusedForGood(failure)]).toEqual([false, false]);
    expect(failure).toBeInstanceOf(Error);
    transport.close();
    // Its connection is closed, or this would wait.
    await new Promise((resolve) => {
      dripping.close(resolve);
    });
  });

  test('gets a Message-ID of its own for each mail, and the mark of a machine', async () => {
    await ask();
    expect(taken[0]).toMatch(/^Message-ID: <[\w-]{43}@proxy\.test>\r$/m);
    expect(taken[0]).toMatch(/^Auto-Submitted: auto-generated\r$/m);
  });
});

describe('the preview of mails', () => {
  test.each(['invitation', 'welcome_back', 'trial_ended'].flatMap((kind) => ['en', 'fr'].map((locale) => [kind, locale])))('shows %s in %s', async (kind, locale) => {
    const response = await fetch(`${bridge.url}/dev/mails/app/${kind}/${locale}`);
    expect(response.status).toBe(200);
    expect(await response.text()).not.toMatch(/undefined|null|<%/);
  });

  test.each(BILLING_MAIL_KINDS.flatMap((kind) => ['en', 'fr'].map((locale) => [kind, locale])))('shows %s in %s', async (kind, locale) => {
    for (const part of ['html', 'text']) {
      const response = await fetch(`${bridge.url}/dev/mails/remote-billing/${kind}/${locale}?part=${part}`);
      expect(response.status).toBe(200);
      expect(await response.text()).not.toMatch(/undefined|null|<%/);
    }
  });

  test('lists them', async () => {
    expect(await (await fetch(`${bridge.url}/dev/mails`)).text()).toContain('/dev/mails/app/trial_ended/fr');
  });
});
