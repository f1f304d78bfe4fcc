import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { loadProducts, type Product } from '../../platform/products.ts';
import { creationOf, NOW, openBridge, type Answer, type TestBridge } from './support/bridge.ts';

const [APP] = loadProducts('products.yaml');
const LAB: Product = {
  ...APP,
  id: 'lab',
  name: 'Lab',
  attributes: [
    { id: 'team', label: { en: 'Team', fr: 'Équipe' }, required: true, max_length: 10 },
    { id: 'role', label: 'Role', required: false, max_length: 10 },
  ],
  consents: [
    { id: 'terms', label: 'Terms', version: '2', required: true, url: 'https://example.com/terms' },
    { id: 'news', label: 'News', version: '1', required: false },
  ],
};
/** As the file stood when people signed up. */
const EARLIER: Product = { ...LAB, consents: LAB.consents.map((one) => (one.id === 'terms' ? { ...one, version: '1' } : one)) };

const WHOLE = { attributes: { team: 'one' }, consents: [{ id: 'terms', version: '2' }] };
const DAY = 86_400;

let bridge: TestBridge;
let products: [Product, Product];
let address: string;
beforeAll(async () => {
  products = [APP, LAB];
  bridge = await openBridge({ products, env: { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '10000', MAIL_LIMIT_SECONDS_BETWEEN: '0' } });
});
afterAll(() => bridge.close());
beforeEach(() => {
  bridge.clock.set(NOW);
  products[1] = LAB;
  address = `ada.${randomUUID()}@example.com`;
});

/** Signs up with these, and answers the token in the mail. */
async function invited(given: object = {}): Promise<string> {
  const answer = await bridge.send('/api/trial/register', { body: { username: address, product: 'lab', ...given } });
  expect([answer.status, answer.body]).toEqual([202, { status: 'accepted' }]);
  await bridge.settled();
  const links = bridge.inbox.messages().find(({ to }) => to === address)?.links ?? [];
  return new URL(links.find((link) => link.includes('invitation_token=')) ?? 'none:').searchParams.get('invitation_token') ?? '';
}

/** As either of those who make accounts. */
const WAYS: Readonly<Record<string, (token: string, given: object) => Promise<Answer>>> = {
  registration_form: (token, given) => bridge.asStep('/api/trial/creation', creationOf(token, { username: address, ...given })),
  program: (token, given) => bridge.asProgram('/api/trial/creation', { token, password: 'a long pass phrase', ...given }),
};
const create = (way: string, token: string, given: object = {}) => (WAYS[way] ?? WAYS['program']!)(token, given);
const registered = async () => (await bridge.db.selectFrom('bridge.registration').selectAll().where('address', '=', address).where('state', '!=', 'superseded').execute()).at(-1);

const seconds = (at: Date) => at.getTime() / 1000 - NOW;

async function kept() {
  const attempt = (await registered())?.attempt_id ?? randomUUID();
  const attributes = await bridge.db.selectFrom('bridge.given_attribute').select(['attribute', 'value', 'given_at', 'step']).where('attempt_id', '=', attempt).orderBy('attribute').execute();
  const consents = await bridge.db.selectFrom('bridge.given_consent').select(['consent', 'version', 'given_at', 'step']).where('attempt_id', '=', attempt).orderBy('consent').execute();
  return {
    attributes: attributes.map((one) => [one.attribute, one.value, one.step, seconds(one.given_at)]),
    consents: consents.map((one) => [one.consent, one.version, one.step, seconds(one.given_at)]),
  };
}

describe('verify tells what the form is to ask', () => {
  test('with what was given marked as such, and its words in each language', async () => {
    const { body } = await bridge.asStep('/api/trial/verify', { token: await invited({ consents: [{ id: 'terms', version: '2' }] }) });
    expect(body).toMatchObject({
      valid: true,
      attributes: [
        { id: 'team', label: 'Team', labels: { en: 'Team', fr: 'Équipe' }, required: true, max_length: 10, given: false },
        { id: 'role', label: 'Role', required: false, given: false },
      ],
      consents: [
        { id: 'terms', label: 'Terms', version: '2', url: 'https://example.com/terms', required: true, given: true },
        { id: 'news', version: '1', required: false, given: false },
      ],
    });
  });

  test('and says no more than before where nothing is asked', async () => {
    const { body } = await bridge.asStep('/api/trial/verify', { token: await bridge.invite({ address }) });
    expect(Object.keys(body)).toEqual(['valid', 'username', 'first_name', 'last_name', 'locale', 'expires_at']);
  });

  test('a consent to an earlier version counts no more', async () => {
    products[1] = EARLIER;
    const token = await invited({ ...WHOLE, consents: [{ id: 'terms', version: '1' }] });
    products[1] = LAB;
    expect((await bridge.asStep('/api/trial/verify', { token })).body['consents']).toMatchObject([{ id: 'terms', version: '2', given: false }, {}]);
    expect((await create('program', token)).body['field']).toBe('consents.terms');
  });
});

test('who registers with an address alone is asked later', async () => {
  expect((await bridge.asStep('/api/trial/verify', { token: await invited() })).body['valid']).toBe(true);
});

describe.each(Object.keys(WAYS))('a creation by %s', (way) => {
  test.each<[string, string, object]>([
    ['a required attribute is missing', 'attributes.team', { consents: WHOLE.consents }],
    ['a required attribute is blank', 'attributes.team', { ...WHOLE, attributes: { team: ' ' } }],
    ['a required consent is missing', 'consents.terms', { attributes: WHOLE.attributes }],
    ['the consent is to another version', 'consents.terms', { ...WHOLE, consents: [{ id: 'terms', version: '1' }] }],
    ['an attribute is too long', 'attributes.role', { ...WHOLE, attributes: { team: 'one', role: 'one two three' } }],
    ['something is given that nobody asks', 'attributes.shoe', { ...WHOLE, attributes: { team: 'one', shoe: '42' } }],
  ])('is refused as a fault of the form where %s: %s; nothing is made', async (_name, field, given) => {
    const token = await invited();
    const answer = await create(way, token, given);
    expect([answer.status, answer.body['code'], answer.body['field']]).toEqual([400, 'invalid_request', field]);
    expect(await registered()).toBeUndefined();
    expect(await bridge.accounts.findByAddress(address)).toBeUndefined();
    expect((await create(way, token, WHOLE)).status).toBe(200);
  });

  test('keeps what was given now, with version, time and where', async () => {
    const token = await invited();
    bridge.clock.pass(DAY);
    await create(way, token, { attributes: { team: 'one', role: ' ' }, consents: [{ id: 'terms', version: '2' }, { id: 'news', version: '1' }] });
    expect(await kept()).toEqual({ attributes: [['team', 'one', way, DAY]], consents: [['news', '1', way, DAY], ['terms', '2', way, DAY]] });
  });

  test('takes what came with the address, of its own time, and prefers what is given now', async () => {
    const token = await invited({ ...WHOLE, attributes: { team: 'one', role: 'x' } });
    bridge.clock.pass(DAY);
    expect((await create(way, token, { attributes: { team: 'two' } })).status).toBe(200);
    expect(await kept()).toEqual({ attributes: [['role', 'x', 'sign_up', 0], ['team', 'two', way, DAY]], consents: [['terms', '2', 'sign_up', 0]] });
  });

  test('of a product that asks nothing refuses answers to what was not asked', async () => {
    const answer = await create(way, await bridge.invite({ address }), { consents: [{ id: 'terms', version: '2' }] });
    expect([answer.status, answer.body['field']]).toEqual([400, 'consents.terms']);
  });
});

test('a later attempt brings answers of its own; those of the account go with its registration', async () => {
  const token = await invited();
  await create('registration_form', token, WHOLE);
  await create('registration_form', token, { ...WHOLE, attributes: { team: 'two' } });
  expect((await kept()).attributes).toEqual([['team', 'two', 'registration_form', 0]]);
  await bridge.db.deleteFrom('bridge.trial').execute();
  await bridge.db.deleteFrom('bridge.registration').execute();
  expect(await bridge.db.selectFrom('bridge.given_consent').selectAll().execute()).toEqual([]);
});

test('a creation that is repeated with its answer before keeps what it had', async () => {
  const body = creationOf(await invited(), { username: address, ...WHOLE });
  expect((await bridge.asStep('/api/trial/creation', body)).status).toBe(200);
  expect((await bridge.asStep('/api/trial/creation', { ...body, attributes: { team: 'two' } })).status).toBe(200);
  expect((await kept()).attributes).toEqual([['team', 'one', 'registration_form', 0]]);
});
