import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { addJob } from '../../bridge/db/job.ts';
import { findDisagreements } from '../../bridge/doctor/consistency.ts';
import type { Account } from '../../bridge/keycloak/accounts.ts';
import { loadProducts, type Product } from '../../platform/products.ts';
import { hashToken } from '../../platform/token.ts';
import { mailsTo, read, signedUp } from './life/person.ts';
import { creationOf, NOW, openBridge, PROXY_URL, type TestBridge } from './support/bridge.ts';

const DAY = 86_400;
const MINUTE = 60;
const POSTS = 50;
const [APP] = loadProducts('products.yaml');
const ASKING: Product = {
  ...APP,
  id: 'lab',
  name: 'Lab',
  start_url: 'https://lab.example.com/',
  clients: ['vestibule-lab'],
  reminder_days: [APP.trial_days - 1],
  attributes: [{ id: 'team', label: 'Team', required: true, max_length: 40 }],
  consents: [{ id: 'terms', label: 'I accept the terms', version: '2', required: true }],
};

let bridge: TestBridge;
let address: string;
let account: Account;
beforeAll(async () => {
  bridge = await openBridge({ products: [APP, ASKING], env: { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '10000', REGISTER_LIMIT_PER_MINUTE: '10000', MAIL_LIMIT_SECONDS_BETWEEN: '0' } });
});
afterAll(() => bridge.close());
beforeEach(() => {
  bridge.clock.set(NOW);
  bridge.keeper.fail(false);
  bridge.keeper.begins(undefined);
  address = `ada.${randomUUID()}@example.com`;
  account = bridge.accounts.add({ username: address });
});

async function register(given: Record<string, unknown> = {}): Promise<void> {
  expect((await bridge.send('/api/trial/register', { body: { username: address, ...given } })).status).toBe(202);
  await bridge.settled();
}
/** Of the newest mail; undefined where it offers nothing. */
const offerLink = () => bridge.inbox.messages().find(({ to }) => to === address)?.links.find((link) => link.startsWith(`${PROXY_URL}/trial/join`));
const tokenOf = () => new URL(offerLink() ?? 'none:').searchParams.get('t') ?? '';
async function offered(given: Record<string, unknown> = {}): Promise<string> {
  await register(given);
  return tokenOf();
}
const join = (token: string, given: Record<string, unknown> = {}) => bridge.asProxy('/api/trial/join', { token, user_id: account.id, ...given });
const look = async (token: string) => (await bridge.asProxy('/api/trial/offer', { token })).body;
const infos = async (clientId = 'vestibule-proxy') => (await bridge.asStep(`/api/trial/infos?user_id=${account.id}&client_id=${clientId}`)).body;
const lifeOf = async (search = address) => ((await bridge.asManager(`/api/trial?search=${encodeURIComponent(search)}`)).body['trials'] as { id: string; state: string; user_id: string | null }[])[0]!;
const kinds = async () => (await read(bridge, await lifeOf())).timeline.map(({ kind }) => kind);
const invitations = () => bridge.db.selectFrom('bridge.invitation').select(['state', 'attempt_id']).where('address', '=', address).orderBy('issued_at').execute();
const trials = () => bridge.db.selectFrom('bridge.trial').select(['product', 'attempt_id']).where('user_id', '=', account.id).execute();
const codeOf = ({ status, body }: { status: number; body: Record<string, unknown> }) => [status, body['code']];

/** What the doctor says about this person, with Keycloak's stamps as the keeper has them. */
async function disagreements(): Promise<string[]> {
  const stamped = async (id: string) => {
    const found = await bridge.accounts.findById(id);
    return found && { ...found, stamps: ['app', 'lab'].flatMap((product) => bridge.keeper.stampOf(id, product) ?? []).map((stamp) => JSON.stringify(stamp)) };
  };
  const found = await findDisagreements(bridge.db, { listStamped: async () => [(await stamped(account.id)) ?? []].flat(), findById: stamped }, bridge.clock, { movedClock: false });
  return found.filter(({ subject }) => subject.includes(account.id)).map(({ check }) => check);
}

describe('the mail to an account without a trial', () => {
  test('offers it by a link of its own, beside signing in, and says until when', async () => {
    await register({ next_page: '/reports' });
    const link = new URL(offerLink() ?? 'none:');
    expect([Buffer.from(link.searchParams.get('t') ?? '', 'base64url').length, link.searchParams.get('next_page'), link.searchParams.get('lang')]).toEqual([32, '/reports', 'en']);
    const mail = bridge.inbox.messages().find(({ to }) => to === address);
    expect([mail?.subject, mail?.links.some((one) => one.startsWith(`${PROXY_URL}/api/login`)), mail?.text.includes('November 28, 2026')]).toEqual(['Welcome back to Vestibule sample app', true, true]);
    expect(await kinds()).toEqual(['invited', 'mail_queued', 'mail_sent']);
  });

  test.each<[string, () => unknown]>([
    ['on trial', () => signedUp(bridge, address).then(({ userId }) => bridge.accounts.add({ id: userId, username: address }))],
    ['whose trial has ended', async () => {
      const { userId } = await signedUp(bridge, address);
      bridge.accounts.add({ id: userId, username: address });
      bridge.clock.pass(30 * DAY);
    }],
    ['whose trial became a full account', async () => {
      const { userId } = await signedUp(bridge, address);
      bridge.accounts.add({ id: userId, username: address });
      await bridge.asManager('/api/trial/completion', { user_id: userId, reason: 'They pay.' });
    }],
    ['whom Keycloak has on a trial that is not known here', () => bridge.accounts.add({ ...account, stamps: ['{"product":"app","trial_ends_at":1,"trial_access_until":2,"trial_app":"x"}'] })],
    ['made anew after a trial of this address that has ended', async () => {
      await signedUp(bridge, address);
      bridge.clock.pass(30 * DAY);
    }],
  ])('offers nothing to one %s', async (_, before) => {
    bridge.accounts.remove(account.id);
    const made = await before();
    if (made === undefined) bridge.accounts.add({ username: address });
    await register();
    expect([(await mailsTo(bridge, address)).length > 0, offerLink()]).toEqual([true, undefined]);
  });

  test('is answered with nothing where the address was erased, until another trial is allowed', async () => {
    const token = await offered();
    await join(token);
    const { id } = await lifeOf();
    bridge.keeper.removesAs('kept_account');
    expect((await bridge.asManager(`/api/trial/${id}`, { reason: 'A letter.' }, {}, 'DELETE')).body).toMatchObject({ erasure: 'done' });
    const before = (await mailsTo(bridge, address)).length;
    await register();
    expect(await mailsTo(bridge, address)).toHaveLength(before);
    await bridge.asManager(`/api/trial/${id}/allow-again`, { reason: 'They came back.' });
    expect((await join(await offered())).status).toBe(200);
  });

  test('is sent again with a link of its own, when staff send it again', async () => {
    const first = await offered();
    const { id } = await lifeOf();
    expect((await bridge.asManager(`/api/trial/${id}/resend`, { reason: 'It was lost.' })).status).toBe(200);
    await bridge.settled();
    const second = tokenOf();
    expect(second).not.toBe(first);
    expect((await join(second)).status).toBe(200);
  });
});

describe('the link', () => {
  test('may be looked at as often as anybody likes: nothing is used up', async () => {
    const token = await offered();
    for (let time = 0; time < 3; time += 1) expect(await look(token)).toEqual({ open: true, product: 'app', username: address, given: { attributes: [], consents: [] } });
    await bridge.asProxy('/api/trial/opened', { token, signs: ['head'] });
    expect([await invitations(), await trials()]).toEqual([[{ state: 'issued', attempt_id: null }], []]);
  });

  test('makes no account: Keycloak and programs hear that it is unknown', async () => {
    const token = await offered();
    expect((await bridge.asStep('/api/trial/verify', { token })).body).toEqual({ valid: false, reason: 'unknown' });
    expect(codeOf(await bridge.asStep('/api/trial/creation', creationOf(token, { username: address })))).toEqual([410, 'invitation_unknown']);
    expect(codeOf(await bridge.asProgram('/api/trial/creation', { token, password: 'a long pass phrase' }))).toEqual([410, 'invitation_unknown']);
    expect(await trials()).toEqual([]);
  });

  test('of an invitation joins nothing', async () => {
    const token = await bridge.invite({ address });
    expect(await look(token)).toEqual({ open: false, reason: 'unknown' });
    expect(codeOf(await join(token))).toEqual([410, 'invitation_unknown']);
  });
});

describe('joining', () => {
  test('begins the trial on the account: small app, stamp, roles, and a life like all others', async () => {
    const token = await offered();
    await bridge.asProxy('/api/trial/opened', { token, signs: [] });
    expect((await join(token)).body).toEqual({ product: 'app' });
    expect(await infos()).toMatchObject({ trial: true, state: 'active', days_left: 14 });
    expect(bridge.keeper.stampOf(account.id)).toMatchObject({ state: 'active', version: 1, trial_ends_at: NOW + 14 * DAY });
    expect([...bridge.keeper.rolesOf(account.id)]).toEqual(['trial-user']);
    expect(await look(token)).toEqual({ open: false, reason: 'spent', product: 'app' });
    await bridge.asProxy('/api/trial/signed-in', { user_id: account.id, products: ['app'] });
    expect((await kinds()).filter((kind) => kind !== 'link_opened' && kind !== 'signed_in')).toEqual(['invited', 'mail_queued', 'mail_sent', 'registered', 'joined', 'confirmed']);
    expect(await read(bridge, await lifeOf())).toMatchObject({ user_id: account.id, held_by_keycloak: true, possible: ['extend', 'convert', 'revoke'] });
    expect(await disagreements()).toEqual([]);
  });

  test('once more, by the same link or another one, is answered alike and changes nothing', async () => {
    const first = await offered();
    const second = await offered();
    for (const token of [first, second, first, second]) expect((await join(token)).status).toBe(200);
    expect([(await trials()).length, bridge.keeper.begun.filter((id) => id === account.id).length]).toEqual([1, 1]);
    expect((await invitations()).map(({ state }) => state)).toEqual(['spent', 'spent']);
  });

  test('two products begin apart, and the end of one leaves the other alone', async () => {
    await join(await offered());
    expect((await join(await offered({ product: 'lab' }), { attributes: { team: 'Engines' }, consents: [{ id: 'terms', version: '2' }] })).status).toBe(200);
    await bridge.asManager('/api/trial/extend', { user_id: account.id, product: 'lab', days: 30, reason: 'They asked.' });
    bridge.clock.pass(18 * DAY);
    expect([await infos(), await infos('vestibule-lab')]).toMatchObject([{ state: 'expired' }, { state: 'active' }]);
    expect(bridge.keeper.stampOf(account.id, 'lab')).toMatchObject({ version: 2 });
    expect(await disagreements()).toEqual([]);
  });

  test('asks for what the product can’t do without, keeps what came with the address, and writes down where it was given', async () => {
    const token = await offered({ product: 'lab', attributes: { team: 'Engines' } });
    expect(await look(token)).toMatchObject({ open: true, given: { attributes: ['team'], consents: [] } });
    const refused = await join(token);
    expect([codeOf(refused), refused.body['field']]).toEqual([[400, 'invalid_request'], 'consents.terms']);
    expect([await trials(), (await invitations())[0]?.state]).toEqual([[], 'issued']);
    expect((await join(token, { consents: [{ id: 'terms', version: '2' }] })).status).toBe(200);
    const exported = (await bridge.asManager(`/api/trial/${(await lifeOf()).id}/export`)).body;
    expect(exported).toMatchObject({ mails: [{ kind: 'welcome_back', account_id: account.id }], invitations: [{ account_id: account.id }], given_attributes: [{ attribute: 'team', value: 'Engines', step: 'sign_up' }], given_consents: [{ consent: 'terms', version: '2', step: 'registration_form' }] });
  });

  test('is extended, converted, revoked and erased as any trial; the account stays', async () => {
    const token = await offered();
    await join(token);
    const { id } = await lifeOf();
    const manage = (path: string, body: object) => bridge.asManager(path, { reason: 'They asked.', ...body });
    expect((await manage('/api/trial/extend', { user_id: account.id, days: 7 })).body).toMatchObject({ held_by_keycloak: true });
    expect((await manage('/api/trial/completion', { user_id: account.id })).body).toMatchObject({ state: 'converted' });
    expect([...bridge.keeper.rolesOf(account.id)]).toEqual(['customer']);
    bridge.keeper.removesAs('kept_account');
    expect((await bridge.asManager(`/api/trial/${id}`, { reason: 'A letter.' }, {}, 'DELETE')).body).toMatchObject({ erasure: 'done', username: null });
    expect([await trials(), await invitations(), await bridge.accounts.findById(account.id)]).toEqual([[], [], account]);
    expect(await infos()).toEqual({ trial: false, expired: false });
  });
});

async function nothingLeft(): Promise<void> {
  expect([await trials(), bridge.keeper.stampOf(account.id), await infos()]).toEqual([[], undefined, { trial: false, expired: false }]);
  expect(await disagreements()).toEqual([]);
}

describe('refused, with nothing left of it', () => {
  test.each<[string, number, string, (token: string) => unknown]>([
    ['for a link that nobody was sent', 410, 'invitation_unknown', () => 'x'.repeat(43)],
    ['for another account', 409, 'other_account', () => {
      account = bridge.accounts.add({ username: `grace.${randomUUID()}@example.com` });
    }],
    ['for a link that is too old', 410, 'invitation_expired', () => bridge.clock.pass(8 * DAY)],
    ['for a link whose owner said "not me"', 410, 'invitation_revoked', async () => {
      const link = bridge.inbox.messages().find(({ to }) => to === address)?.links.find((one) => one.includes('not-me'));
      await bridge.asProxy('/api/trial/not-me', { token: new URL(link ?? 'none:').searchParams.get('t') });
    }],
    ['for an offer that staff withdrew', 410, 'invitation_revoked', async () => bridge.asManager(`/api/trial/${(await lifeOf()).id}/revoke`, { reason: 'A mistake.' })],
    ['for a product that is gone from the file, as the page before it says', 410, 'invitation_revoked', async (token) => {
      await bridge.db.updateTable('bridge.invitation').set({ product: 'gone' }).where('address', '=', address).execute();
      expect(await look(token)).toMatchObject({ open: false, reason: 'revoked' });
    }],
    ['for an account that was deleted', 409, 'not_possible', () => bridge.accounts.remove(account.id)],
    ['for an account that has another address by now', 409, 'not_possible', () => bridge.accounts.add({ ...account, username: `renamed.${address}` })],
    ['for an account whose address is not verified any more', 409, 'not_possible', () => bridge.accounts.add({ ...account, emailVerified: false })],
    ['for an account that Keycloak finds disabled, renamed or privileged', 409, 'not_possible', () => bridge.keeper.begins('not_eligible')],
    ['for an account that is gone at this moment', 409, 'not_possible', () => bridge.keeper.begins('unknown_user')],
    ['for an account with another trial in Keycloak', 409, 'trial_exists', () => bridge.keeper.begins('other_trial')],
  ])('%s', async (_, status, code, before) => {
    const token = await offered();
    const other = await before(token);
    expect(codeOf(await join(typeof other === 'string' ? other : token))).toEqual([status, code]);
    await nothingLeft();
    await bridge.hurry();
    await nothingLeft();
  });

  test('and possible later by the same link, when the account may', async () => {
    const token = await offered();
    bridge.keeper.begins('not_eligible');
    await join(token);
    expect([(await lifeOf()).state, (await invitations())[0]]).toEqual(['invited', { state: 'issued', attempt_id: null }]);
    bridge.keeper.begins(undefined);
    expect((await join(token)).status).toBe(200);
    expect([await infos(), await disagreements()]).toMatchObject([{ state: 'active' }, []]);
  });
});

test('refused after time has moved its life, it may begin anew', async () => {
  const token = await offered({ product: 'lab', attributes: { team: 'Engines' }, consents: [{ id: 'terms', version: '2' }] });
  bridge.keeper.fail(true);
  await join(token);
  bridge.clock.pass(2 * DAY);
  await bridge.db.transaction().execute((trx) => addJob(trx, 'sweep_lives', {}, { key: 'sweep_lives' }));
  await bridge.settled();
  expect((await lifeOf()).state).toBe('ending');
  bridge.keeper.fail(false);
  bridge.keeper.begins('not_eligible');
  expect((await join(token)).status).toBe(409);
  bridge.keeper.begins(undefined);
  expect((await join(token)).status).toBe(200);
  expect([await infos('vestibule-lab'), (await lifeOf()).user_id, await disagreements()]).toMatchObject([{ state: 'active' }, account.id, []]);
});

describe('once for each person and product', () => {
  test(`of ${POSTS} posts at once, by two links: one trial, one stamp, one line of each kind`, async () => {
    const links = [await offered(), await offered()];
    const answers = await Promise.all(Array.from({ length: POSTS }, (_, index) => join(links[index % 2] ?? '')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect([(await trials()).length, bridge.keeper.begun.filter((id) => id === account.id).length]).toEqual([1, 1]);
    expect((await kinds()).filter((kind) => ['registered', 'joined', 'confirmed', 'released'].includes(kind))).toEqual(['registered', 'joined', 'confirmed']);
    expect(await disagreements()).toEqual([]);
  });

  test('by links to two addresses of one account: one trial', async () => {
    const links = [await offered()];
    // Found by its e-mail too, which is another address than its name.
    const second = `second.${address}`;
    links.push(await bridge.invite({ address: second, accountId: account.id }));
    const findByAddress = bridge.accounts.findByAddress;
    bridge.accounts.findByAddress = (wanted) => findByAddress(wanted === second ? address : wanted);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => join(links[index % 2] ?? '')));
    bridge.accounts.findByAddress = findByAddress;
    expect(answers.filter(({ status, body }) => status !== 200 && body['code'] !== 'trial_exists')).toEqual([]);
    expect([(await trials()).length, await disagreements()]).toEqual([1, []]);
  });

  test('an attempt to make an account with that address gives way, and its late outcome changes nothing', async () => {
    const creation = creationOf(await bridge.invite({ address }), { username: address });
    await bridge.asStep('/api/trial/creation', creation);
    expect((await join(await offered())).status).toBe(200);
    await bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome: 'committed' });
    expect((await trials()).length).toBe(1);
    expect((await bridge.db.selectFrom('bridge.trial').select('user_id').where('user_id', '=', creation.user_id).execute())).toEqual([]);
  });
});

describe('interrupted between two steps', () => {
  test.each<[string, () => void]>([
    ['before Keycloak heard of it', () => bridge.keeper.fail(true)],
    ['after Keycloak wrote it, its answer lost', () => bridge.keeper.begins(() => {
      throw new Error('the answer is lost');
    })],
  ])('%s, the same link goes on where it stood', async (_, interrupt) => {
    const token = await offered();
    interrupt();
    expect((await join(token)).status).toBeGreaterThanOrEqual(500);
    expect((await trials()).length).toBe(1);
    bridge.clock.pass(5 * MINUTE);
    expect((await disagreements()).filter((check) => check !== 'trial-without-stamp')).toEqual([]);
    bridge.keeper.fail(false);
    bridge.keeper.begins(undefined);
    const [before] = await trials();
    expect((await join(token)).status).toBe(200);
    expect([await trials(), bridge.keeper.stampOf(account.id)?.trial_ends_at, await disagreements()]).toEqual([[before], NOW + 14 * DAY, []]);
  });

  test('where nobody comes back, the job finishes it', async () => {
    const token = await offered();
    bridge.keeper.fail(true);
    await join(token);
    await bridge.hurry();
    bridge.keeper.fail(false);
    await bridge.hurry();
    expect([await infos(), (await invitations())[0]?.state, await disagreements()]).toMatchObject([{ state: 'active' }, 'spent', []]);
    expect((await kinds()).filter((kind) => ['registered', 'released', 'confirmed'].includes(kind))).toEqual(['registered', 'confirmed']);
  });

  test('what was extended or revoked meanwhile is what Keycloak hears', async () => {
    const token = await offered();
    bridge.keeper.fail(true);
    await join(token);
    expect((await bridge.asManager('/api/trial/extend', { user_id: account.id, days: 7, reason: 'They asked.' })).status).toBe(200);
    bridge.keeper.fail(false);
    expect((await join(token)).status).toBe(200);
    expect(bridge.keeper.stampOf(account.id)).toMatchObject({ version: 2, trial_ends_at: NOW + 21 * DAY });
    expect(await disagreements()).toEqual([]);
  });

  test('what took the place of an attempt that Keycloak has is found again by its stamp alone', async () => {
    const token = await offered();
    bridge.keeper.fail(true);
    await join(token);
    const [pending] = await trials();
    await bridge.asStep('/api/trial/creation', creationOf(await bridge.invite({ address }), { username: address }));
    expect(await trials()).toEqual([]);
    // The account is there, and was before: that says nothing.
    await bridge.hurry();
    expect([await trials(), await infos()]).toEqual([[], { trial: false, expired: false }]);
    const { trial_app_id: trialApp } = await bridge.db.selectFrom('bridge.registration').select('trial_app_id').where('attempt_id', '=', pending?.attempt_id ?? '').executeTakeFirstOrThrow();
    bridge.accounts.add({ ...account, stamps: [JSON.stringify({ product: 'app', trial_ends_at: 1, trial_access_until: 2, trial_app: trialApp })] });
    bridge.keeper.fail(false);
    await bridge.hurry();
    expect((await trials()).map(({ attempt_id }) => attempt_id)).toEqual([pending?.attempt_id]);
  });
});

test('neither log nor database holds a token (SECURITY.md 14)', async () => {
  const token = await offered();
  await join(token);
  expect(bridge.log()).not.toContain(token);
  const rows = await bridge.db.selectFrom('bridge.invitation').selectAll().where('token_hash', '=', hashToken(token)).execute();
  expect(JSON.stringify(rows)).not.toContain(token);
});
