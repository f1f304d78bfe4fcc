import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { httpBrowser } from '../../../platform/http-browser.ts';
import { eventually } from '../../support/eventually.ts';
import { keycloakAdmin } from '../../support/keycloak-admin.ts';
import { createPerson, freshAddress } from '../../support/person.ts';
import { openProgram, type Program } from '../../support/program.ts';
import { inbox, queryDatabase, stack } from '../../support/stack.ts';
import { invite, isSignedIn, offerTo, register, signUp } from '../../support/visitor.ts';
import { attempts, endsWell, finishes, nothingDisagrees, userIds } from '../support/ending.ts';
import { hurry, invitationIn, linkOf, mailStates, mailsTo } from '../support/mails.ts';
import { END_OF_MAIL, kill, mendAll, OUTCOME, relay, start } from '../support/stand.ts';

jest.setTimeout(180_000);

/** A killed worker's jobs are freed by the second sweep that finds it dead; there is one every 10 s. */
const TAKEN_OVER_WITHIN_MS = 40_000;

const smtp = relay('bridge-smtp');
const adminApi = relay('bridge-keycloak');
const database = relay('bridge-postgres');

let manager: Program;
beforeAll(async () => {
  manager = await openProgram('trial-manage');
});
afterAll(() => manager.remove());

let address: string;
beforeEach(() => {
  address = freshAddress('ada');
});
afterEach(mendAll);

const sent = (): Promise<true> => eventually(async () => (await mailStates(address))[0] === 'sent', TAKEN_OVER_WITHIN_MS);

test('killed in send_invitation: the mail comes, once', async () => {
  await adminApi.inject({ sees: 'GET /admin/', does: 'hold-request' });
  await register(address);
  await adminApi.holds();
  await kill('bridge');
  await adminApi.cut();
  await start('bridge');
  await sent();
  await endsWell(address, await linkOf(address));
});

test('killed in send_mail before the mail server has the mail: it comes, once', async () => {
  await smtp.inject({ sees: END_OF_MAIL, does: 'hold-request' });
  await register(address);
  await smtp.holds();
  await kill('bridge');
  await smtp.cut();
  await start('bridge');
  await sent();
  await endsWell(address, await linkOf(address));
});

test('killed in send_mail after the mail server took the mail: it comes twice, both links work, and one spends both', async () => {
  await smtp.inject({ sees: END_OF_MAIL, does: 'hold-answer' });
  await register(address);
  await smtp.holds();
  await kill('bridge');
  await smtp.cut();
  await start('bridge');
  await sent();
  const first = invitationIn((await inbox.messages()).findLast((message) => message.to === address)!);
  const second = await linkOf(address);
  expect(second).not.toBe(first);
  await endsWell(address, first, { mails: 2 });
  await endsWell(address, second, { mails: 2 });
});

test('killed in reconcile: the attempt is confirmed', async () => {
  const link = await invite(address);
  await relay('keycloak-bridge').inject({ sees: OUTCOME, does: 'cut-request' });
  await adminApi.inject({ sees: 'GET /admin/', does: 'hold-request' });
  expect(isSignedIn((await signUp(link)).page)).toBe(true);
  await hurry();
  await adminApi.holds();
  await kill('bridge');
  await adminApi.cut();
  expect(await attempts(address)).toMatchObject([{ state: 'pending' }]);
  await start('bridge');
  await endsWell(address, link);
});

/** Whoever asks is not answered by Keycloak, so that a job goes on; that is killed at its own call. */
async function killedInTheJobAfter(call: string, ask: () => Promise<unknown>): Promise<void> {
  await adminApi.inject({ sees: call, does: 'cut-request' });
  await ask();
  await adminApi.inject({ sees: call, does: 'hold-request' });
  await hurry();
  await adminApi.holds();
  await kill('bridge');
  await adminApi.cut();
  await start('bridge');
}

test('killed in keep_life: Keycloak hears of the extension', async () => {
  const link = await invite(address);
  await finishes(address, link);
  const [userId = ''] = await userIds(address);
  await killedInTheJobAfter('PUT /realms/', async () => {
    expect((await manager.ask('/api/trial/extend', { user_id: userId, days: 30, reason: 'They asked.' })).body).toMatchObject({ held_by_keycloak: false });
  });
  const [trial] = await queryDatabase('select extract(epoch from trial_ends_at)::int as ends from bridge.trial where user_id = $1', [userId]);
  await eventually(async () => {
    const { attributes } = await keycloakAdmin().get(`/users/${userId}`);
    return (JSON.parse(attributes.trial_stamp[0]) as { trial_ends_at: number }).trial_ends_at === trial?.['ends'];
  }, TAKEN_OVER_WITHIN_MS);
  await nothingDisagrees();
});

test('killed in erase_life: the person is forgotten, in Keycloak and here', async () => {
  await finishes(address, await invite(address));
  const [{ id } = {}] = await queryDatabase('select id from bridge.life where address = $1', [address]);
  // A registration that may still come through keeps an erasure waiting.
  await queryDatabase(`update bridge.registration set attempted_at = attempted_at - interval '1 hour' where address = $1`, [address]);
  await killedInTheJobAfter('DELETE /realms/', async () => {
    expect((await manager.ask(`/api/trial/${String(id)}`, { reason: 'They asked.' }, 'DELETE')).status).toBe(200);
  });
  await eventually(async () => (await queryDatabase('select 1 from bridge.life where id = $1 and erased_at is not null', [id])).length === 1, TAKEN_OVER_WITHIN_MS);
  expect(await userIds(address)).toEqual([]);
  await nothingDisagrees();
});

test('killed in finish_join: the trial begins on the account', async () => {
  const person = await createPerson([], 0);
  const browser = httpBrowser();
  const offer = await browser.get(await offerTo(person.username, 1));
  await killedInTheJobAfter('/stamp HTTP', async () => {
    const login = await browser.submit(offer.form('page-form'));
    expect((await browser.submit(login.form('kc-form-login'), { username: person.username, password: person.password })).status).toBe(502);
  });
  await eventually(async () => (await queryDatabase("select 1 from bridge.registration where user_id = $1 and joins and state = 'confirmed'", [person.id])).length === 1, TAKEN_OVER_WITHIN_MS);
  expect((await keycloakAdmin().get(`/users/${person.id}`)).attributes.trial_stamp).toHaveLength(1);
  await nothingDisagrees();
});

test('killed in send_billing_mail before the mail server has the mail: it comes, once', async () => {
  const browser = httpBrowser();
  const { body } = await browser.get(`${stack().selfHosted}/`);
  const [id, key] = ['server-id', 'server-key'].map((name) => new RegExp(`id="${name}"[^>]*>([^<]+)`).exec(body)?.[1] ?? '');
  const asked = await browser.submit((await browser.get(`${stack().proxy}/serverlogin/`)).form('page-form'), { zulip_org_id: id ?? '', zulip_org_key: key ?? '' });
  await smtp.inject({ sees: END_OF_MAIL, does: 'hold-request' });
  await browser.submit(asked.form('page-form'), { email: address });
  await smtp.holds();
  await kill('bridge');
  await smtp.cut();
  await start('bridge');
  await eventually(async () => (await queryDatabase("select 1 from bridge.billing_mail where address = $1 and state = 'sent'", [address])).length === 1, TAKEN_OVER_WITHIN_MS);
  expect(await mailsTo(address)).toBe(1);
  await nothingDisagrees();
});

/** In the middle of its transaction. */
async function killedInTheJobAt(statement: string): Promise<void> {
  await database.inject({ sees: statement, does: 'hold-request' });
  await hurry();
  await database.holds();
  await kill('bridge');
  await database.cut();
  await start('bridge');
}

test('killed in sweep_lives: the trial ends, once', async () => {
  await finishes(address, await invite(address));
  const [userId = ''] = await userIds(address);
  await queryDatabase("update bridge.trial set trial_ends_at = date_trunc('second', now()) - interval '1 minute' where user_id = $1", [userId]);
  const [{ id } = {}] = await queryDatabase('update bridge.life set next_deadline = now() where user_id = $1 returning id', [userId]);
  await killedInTheJobAt('insert into "bridge"."life_event"');
  const ended = (): Promise<Record<string, unknown>[]> => queryDatabase("select 1 from bridge.life_event where life_id = $1 and kind = 'ended'", [id]);
  await eventually(async () => (await ended()).length === 1, TAKEN_OVER_WITHIN_MS);
  await eventually(async () => (await queryDatabase("select 1 from graphile_worker.jobs where task_identifier = 'sweep_lives'")).length === 0, TAKEN_OVER_WITHIN_MS);
  expect(await ended()).toHaveLength(1);
  await eventually(async () => (await mailStates(address)).every((state) => state === 'sent'), TAKEN_OVER_WITHIN_MS);
  // The invitation, and the end.
  expect(await mailsTo(address)).toBe(2);
  await nothingDisagrees();
});

test('killed in sweep_plans: the plan ends, once', async () => {
  // The one of the stack's own self-hosted server, which says who it is when it starts.
  const [{ id: server } = {}] = await queryDatabase('select id from bridge.remote_server order by registered_at limit 1');
  const [{ id: account } = {}] = await queryDatabase('insert into bridge.billing_account (server_id) values ($1) on conflict (server_id) do update set legal_name = billing_account.legal_name returning id', [server]);
  const [{ id: plan } = {}] = await queryDatabase("insert into bridge.billing_plan (account_id, type, state, currency, tax_basis_points, period_ends_at, agreed_at) values ($1, 'community', 'active', 'EUR', 0, now() - interval '1 minute', now()) returning id", [account]);
  await killedInTheJobAt('update "bridge"."billing_plan"');
  await eventually(async () => (await queryDatabase("select 1 from bridge.billing_plan where id = $1 and state = 'ended'", [plan])).length === 1, TAKEN_OVER_WITHIN_MS);
  await eventually(async () => (await queryDatabase("select 1 from graphile_worker.jobs where task_identifier = 'sweep_plans'")).length === 0, TAKEN_OVER_WITHIN_MS);
  expect(await queryDatabase("select 1 from bridge.billing_audit where act = 'plan_ended' and details ->> 'plan' = 'community' and server_id = $1", [server])).toHaveLength(1);
  await nothingDisagrees();
});

test('killed in end_rehearsal: nothing of the rehearsal is left', async () => {
  const [{ id } = {}] = await queryDatabase("insert into bridge.life (product, address, locale, began_at, rehearsal) values ('app', $1, 'en', now(), true) returning id", [address.replace('@', '+rehearsal-1@')]);
  await queryDatabase("select graphile_worker.add_job('end_rehearsal', json_build_object('life_id', $1::text), run_at => now() + interval '1 hour')", [id]);
  await killedInTheJobAt('delete from "bridge"."webhook"');
  await eventually(async () => (await queryDatabase('select 1 from bridge.life where id = $1', [id])).length === 0, TAKEN_OVER_WITHIN_MS);
  await nothingDisagrees();
});

const allAre = async (addresses: readonly string[], wanted: string): Promise<boolean> => (await Promise.all(addresses.map(mailStates))).every(([state]) => state === wanted);

test('a mail server that is away for minutes: everything else works, and every mail comes once when it is back', async () => {
  const addresses = Array.from({ length: 5 }, () => freshAddress('ada'));
  await smtp.refuse();
  await Promise.all(addresses.map((one) => register(one)));
  await eventually(() => allAre(addresses, 'queued'));
  // The pauses between tries grow: the fifth is a minute and a half after the first.
  const tries = async (): Promise<number[]> => (await queryDatabase("select job.attempts from graphile_worker.jobs as job join bridge.mail on job.key = 'mail:' || mail.id where mail.address = any($1)", [addresses])).map(({ attempts: done }) => Number(done));
  await eventually(async () => (await tries()).every((done) => done >= 5), 4 * 60_000);
  const ready = await fetch(`${stack().bridge}/readyz`);
  expect([ready.status, ((await ready.json()) as { status: string }).status]).toEqual([200, 'degraded']);
  expect(await Promise.all(addresses.map(mailsTo))).toEqual(addresses.map(() => 0));
  await smtp.mend();
  await hurry();
  await eventually(() => allAre(addresses, 'sent'), TAKEN_OVER_WITHIN_MS);
  for (const one of addresses) await endsWell(one, await linkOf(one));
}, 6 * 60_000);

test('a mail server that takes connections and says nothing: other jobs go on, and every mail comes once when it speaks', async () => {
  const addresses = Array.from({ length: 8 }, () => freshAddress('ada'));
  await smtp.inject({ sees: 'EHLO', does: 'hold-answer', times: 1000 });
  await Promise.all(addresses.map((one) => register(one)));
  // More mails than jobs run at a time, and each try is given up after a while.
  await eventually(() => allAre(addresses, 'queued'), 3 * 60_000);
  await smtp.holds();
  await smtp.cut();
  await smtp.mend();
  await eventually(async () => {
    await hurry();
    return allAre(addresses, 'sent');
  }, 2 * TAKEN_OVER_WITHIN_MS);
  for (const one of addresses) await endsWell(one, await linkOf(one));
}, 6 * 60_000);
