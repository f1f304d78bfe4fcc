import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { scrape, type Scrape } from '../support/exposition.ts';
import { creationOf, openBridge, type TestBridge } from './support/bridge.ts';

const WITH_METRICS = { BRIDGE_METRICS_PORT: '0' };
const REGISTER = '/api/trial/register';

const steps = ({ samples }: Scrape) =>
  samples.filter(({ name, value }) => name === 'vestibule_sign_up_steps_total' && value > 0).map(({ labels, value }) => `${labels['step']} ${labels['outcome']} ${value}`);

describe('after a whole sign-up', () => {
  const username = `ada.${randomUUID()}@example.com`;
  const userId = randomUUID();
  const attemptId = randomUUID();
  let bridge: TestBridge;
  let token: string;
  let notMe: string;
  let seen: Scrape;

  beforeAll(async () => {
    bridge = await openBridge({ env: WITH_METRICS });
    await bridge.send(REGISTER, { body: { username } });
    await bridge.settled();
    const links = bridge.inbox.messages().find((message) => message.to === username)!.links.map((link) => new URL(link));
    token = links.find((link) => link.searchParams.has('invitation_token'))!.searchParams.get('invitation_token')!;
    notMe = links.find((link) => link.searchParams.has('t'))!.searchParams.get('t')!;
    await bridge.asStep('/api/trial/verify', { token });
    await bridge.asStep('/api/trial/creation', creationOf(token, { username, user_id: randomUUID() }));
    await bridge.asStep('/api/trial/creation', creationOf(token, { username, user_id: userId, attempt_id: attemptId }));
    await bridge.asStep('/api/trial/creation/outcome', { attempt_id: attemptId, user_id: userId, outcome: 'committed' });
    await bridge.asStep(`/api/trial/infos?user_id=${userId}&client_id=vestibule-proxy`);
    await bridge.asStep('/api/trial/verify', { token });
    await bridge.asProxy('/api/trial/not-me', { token: notMe });
    await bridge.send('/api/trial/verify', { body: { token } });
    await bridge.send(`/${token}/${username}?invitation_token=${token}`, { method: 'GET' });
    // For the attempt that was superseded: a job that finds nobody waits for its next look.
    await bridge.hurry();
    seen = await scrape(bridge.metricsPort);
  });
  afterAll(() => bridge.close());

  test('every step is counted by what came of it', () => {
    // How often a job looks for the superseded one depends on how fast the machine is.
    expect(steps(seen).map((step) => step.replace(/^(reconcile absent) \d$/, '$1 1')).toSorted()).toEqual(
      [
        'register accepted 1',
        'invitation invitation 1',
        'verify valid 1',
        'verify spent 1',
        'verify unauthorized 1',
        'creation reserved 1',
        'creation superseding 1',
        'outcome confirmed 1',
        'reconcile absent 1',
      ].toSorted(),
    );
    expect(seen.sum('vestibule_bridge_mails_total', { kind: 'invitation', outcome: 'sent' })).toBe(1);
  });

  test('calls of Keycloak are timed by route and outcome, other calls are not', () => {
    const calls = seen.samples.filter(({ name }) => name === 'vestibule_bridge_keycloak_call_duration_seconds_count').map(({ labels, value }) => `${labels['route']} ${labels['outcome']} ${value}`);
    expect(calls.toSorted()).toEqual(
      [
        '/api/trial/verify valid 1',
        '/api/trial/verify spent 1',
        '/api/trial/verify unauthorized 1',
        '/api/trial/creation reserved 1',
        '/api/trial/creation superseding 1',
        '/api/trial/creation/outcome confirmed 1',
        '/api/trial/infos active 1',
      ].toSorted(),
    );
  });

  test('requests and refusals are counted by route pattern, whatever the address was', () => {
    expect(seen.sum('vestibule_bridge_http_requests_total', { route: '/api/trial/verify', status: '200' })).toBe(2);
    expect(seen.sum('vestibule_bridge_http_requests_total', { route: 'none', status: '404' })).toBe(1);
    expect(seen.sum('vestibule_bridge_refusals_total', { route: '/api/trial/verify', reason: 'unauthorized' })).toBe(1);
    expect(seen.sum('vestibule_bridge_refusals_total', { route: 'none', reason: 'not_found' })).toBe(1);
  });

  test('jobs are timed by task', () => {
    expect(seen.sum('vestibule_bridge_job_duration_seconds_count', { task: 'send_mail', outcome: 'done' })).toBe(1);
    expect(seen.sum('vestibule_bridge_jobs', { task: 'reconcile', state: 'queued' })).toBe(1);
  });

  test('SECURITY 14: no label carries an address, a token or an id', () => {
    const secrets = { username, 'its name': username.split('@')[0]!, token, notMe, userId, attemptId };
    expect(Object.entries(secrets).filter(([, secret]) => seen.text.includes(secret)).map(([name]) => name)).toEqual([]);
    expect(seen.samples.flatMap(({ labels }) => Object.values(labels)).filter((value) => /@|[0-9a-f]{8}-|[\w-]{40}/.test(value))).toEqual([]);
  });
});

test('a program’s calls are counted apart from Keycloak’s, refused ones too', async () => {
  const bridge = await openBridge({ env: WITH_METRICS });
  const body = { token: await bridge.invite(), password: 'a long pass phrase' };
  const send = (token: string) => bridge.send('/api/trial/creation', { body, headers: { authorization: `Bearer ${token}` } });
  const expired = { exp: Math.floor(Date.now() / 1000) - 1 };
  const answers = [
    await bridge.asProgram('/api/trial/creation', body),
    await send(await bridge.realm.serviceToken('a-program', 'trial-create', expired)),
    await send(await bridge.realm.serviceToken('a-program', 'trial-read')),
    await send(await bridge.realm.stepToken(expired)),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 401, 403, 401]);
  const seen = await scrape(bridge.metricsPort);
  await bridge.close();
  const steps = seen.samples.filter(({ name, value }) => name === 'vestibule_sign_up_steps_total' && value > 0).map(({ labels, value }) => `${labels['step']} ${labels['outcome']} ${value}`);
  expect(steps.toSorted()).toEqual(['creation unauthorized 1', 'program_creation created 1', 'program_creation forbidden 1', 'program_creation unauthorized 1']);
  expect(seen.sum('vestibule_bridge_keycloak_call_duration_seconds_count')).toBe(1);
});

describe('reservations', () => {
  let bridge: TestBridge;
  beforeAll(async () => {
    bridge = await openBridge({ env: WITH_METRICS });
  });
  afterAll(() => bridge.close());

  test('are told with the age of the oldest, by the domain clock', async () => {
    const before = await scrape(bridge.metricsPort);
    expect([before.sum('vestibule_bridge_reservations_open'), before.sum('vestibule_bridge_reservation_oldest_seconds')]).toEqual([0, 0]);
    await bridge.asStep('/api/trial/creation', creationOf(await bridge.invite()));
    bridge.clock.pass(100);
    await bridge.asStep('/api/trial/creation', creationOf(await bridge.invite({ address: 'bob@example.com' }), { username: 'bob@example.com' }));
    bridge.clock.pass(800);
    const after = await scrape(bridge.metricsPort);
    expect([after.sum('vestibule_bridge_reservations_open'), after.sum('vestibule_bridge_reservation_oldest_seconds')]).toEqual([2, 900]);
  });

  test('that nobody came of are counted as released', async () => {
    await bridge.hurry();
    await bridge.hurry();
    const seen = await scrape(bridge.metricsPort);
    expect(seen.sum('vestibule_sign_up_steps_total', { step: 'reconcile', outcome: 'released' })).toBe(2);
    expect(seen.sum('vestibule_bridge_reservations_open')).toBe(0);
  });
});

describe('what goes wrong', () => {
  let bridge: TestBridge;
  beforeAll(async () => {
    bridge = await openBridge({ env: { ...WITH_METRICS, REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '2' }, smtpUrl: 'smtp://127.0.0.1:9' });
  });
  afterAll(() => bridge.close());

  test('a mail server that is away: the mail is postponed, its job is retried, the dependency is down', async () => {
    await bridge.send(REGISTER, { body: { username: 'ada@example.com' } });
    await bridge.settled();
    const seen = await scrape(bridge.metricsPort);
    expect(seen.sum('vestibule_bridge_mails_total', { kind: 'invitation', outcome: 'postponed' })).toBe(1);
    expect(seen.sum('vestibule_bridge_job_duration_seconds_count', { task: 'send_mail', outcome: 'failed' })).toBe(1);
    expect(seen.sum('vestibule_bridge_jobs', { task: 'send_mail', state: 'retrying' })).toBe(1);
    expect(seen.sum('vestibule_bridge_dependency_up', { dependency: 'smtp' })).toBe(0);
    expect(seen.sum('vestibule_bridge_dependency_up', { dependency: 'postgres' })).toBe(1);
  });

  test('too many sign-ups: refused by reason', async () => {
    for (let times = 0; times < 3; times += 1) await bridge.send(REGISTER, { body: { username: 'ada@example.com' } });
    expect((await scrape(bridge.metricsPort)).sum('vestibule_bridge_refusals_total', { route: REGISTER, reason: 'rate_limited' })).toBe(2);
  });

  test('a job that no worker takes is overdue, one that gave up is failed', async () => {
    await sql`insert into graphile_worker._private_tasks (identifier) values ('stuck') on conflict do nothing`.execute(bridge.db);
    await sql`select graphile_worker.add_job('stuck', run_at => now() - interval '20 minutes')`.execute(bridge.db);
    await sql`update graphile_worker._private_jobs set attempts = max_attempts where attempts > 0`.execute(bridge.db);
    const seen = await scrape(bridge.metricsPort);
    expect(seen.sum('vestibule_bridge_job_overdue_seconds', { task: 'stuck' })).toBeGreaterThanOrEqual(1200);
    expect(seen.sum('vestibule_bridge_jobs', { task: 'send_mail', state: 'failed' })).toBe(1);
  });

  test('what cannot be read is left out, and the rest is told', async () => {
    await sql`alter table bridge.registration rename to gone`.execute(bridge.db);
    const seen = await scrape(bridge.metricsPort);
    expect(seen.sum('vestibule_bridge_reservations_open')).toBeUndefined();
    expect(seen.sum('vestibule_sign_up_steps_total', { step: 'register', outcome: 'accepted' })).toBe(2);
  });
});

test('nothing is served without a port, and nothing at the public one', async () => {
  const bridge = await openBridge();
  try {
    expect(bridge.metricsPort).toBeUndefined();
    expect((await bridge.send('/metrics', { method: 'GET' })).status).toBe(404);
  } finally {
    await bridge.close();
  }
});
