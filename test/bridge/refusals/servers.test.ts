import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { basic, newPerson, newRealm, newServer, openBilling, randomAddress, registrationOf, type RealmOnWire, type Server, type TestBilling } from '../remote-billing/support/billing.ts';

const FORM = 'application/x-www-form-urlencoded';
const MEBIBYTE = 1024 * 1024;
const BASE = '/api/v1/remotes/';
/** Of every JSON type one, and lists and objects of what nothing here takes. */
const VALUES = [42, true, null, 'x', ['x'], { x: 'x' }];
const WRONG_INSIDE: Readonly<Record<string, readonly unknown[]>> = {
  id: [-1, 1.5, 1e300],
  realm: [-1, 1.5],
  event_time: [-1],
  host: ['', 'a/b', 'a b', 'x'.repeat(129)],
  url: ['x'.repeat(256), 'a\0'],
  name: ['x'.repeat(256), 'a\nb'],
  org_type: [-1, 1.5, 10_001],
  date_created: [-1, 1e12],
  authentication_methods: [{ x: 'x' }, { ['x'.repeat(101)]: true }],
  uuid: ['', 'x', 'd9c0b6d4-5b1c-11ee-8c99-0242ac120002'],
  uuid_owner_secret: ['', 'x'.repeat(201)],
  email: ['x'.repeat(255), 'a\r\nb'],
  full_name: ['x'.repeat(101), 'a\0'],
};
const OPTIONAL_INSIDE = new Set(['name', 'org_type', 'is_system_bot_realm', 'authentication_methods']);

type Form = Readonly<Record<string, string>>;
type Bytes = Uint8Array<ArrayBuffer>;

interface Endpoint {
  path: string;
  basic: boolean;
  /** Of a form that is right. */
  status: number;
  says: string;
  valid(place: Place): Form;
  /** Fields in JSON, with values of which they take each type. */
  json: Readonly<Record<string, readonly unknown[]>>;
  /** Of a field more; without: newer servers know more, it is ignored. */
  unknown?: { status: number; says: string };
  takesJson?: true;
  limitBytes: number;
}

interface Place {
  server: Server;
  realm: RealmOnWire;
}

const USUAL = { basic: true, status: 200, says: '', json: {}, limitBytes: 64 * 1024 } as const;
const ROWS = [null, [{ id: 7 }]];

/** What self-hosted servers call, with forms; held against /openapi.json. */
const ENDPOINTS: readonly Endpoint[] = [
  { ...USUAL, path: 'server/register', basic: false, valid: () => registrationOf(newServer()) },
  { ...USUAL, path: 'server/register/transfer', basic: false, valid: ({ server }) => ({ hostname: server.hostname }) },
  // Of a host that never registered: past its form, and no further.
  { ...USUAL, path: 'server/register/verify_challenge', basic: false, status: 400, says: 'Registration not found for this hostname', valid: () => ({ hostname: newServer().hostname, access_token: 'served' }) },
  { ...USUAL, path: 'server/billing', valid: ({ realm }) => ({ user: JSON.stringify(newPerson()), realm: JSON.stringify(realm) }), json: { user: [newPerson()], realm: [newRealm()] } },
  {
    ...USUAL,
    path: 'server/analytics',
    valid: ({ realm }) => ({ realms: JSON.stringify([realm]), realm_counts: '[{"id":3}]', installation_counts: '[]', realmauditlog_rows: '[]', version: '"10.0"' }),
    json: { realms: [null, [newRealm()]], realm_counts: ROWS, installation_counts: ROWS, realmauditlog_rows: [null, [{ id: 7, realm: 1, event_time: 1_700_000_000.5 }]], version: [null, '10.0'] },
    limitBytes: 16 * MEBIBYTE,
  },
  { ...USUAL, path: 'server/deactivate', valid: () => ({}), unknown: { status: 400, says: 'Unrecognized key' }, takesJson: true },
];
const STATUS = 'server/analytics/status';

interface Operation {
  security?: readonly Record<string, unknown>[];
  requestBody?: { required?: boolean; content: Record<string, { schema: { properties?: Record<string, object>; required?: readonly string[] } }> };
}

let billing: TestBilling;
let place: Place;
let operations: Record<string, Record<string, Operation>>;
const renewPlace = async () => {
  place = await billing.place();
};
beforeAll(async () => {
  billing = await openBilling();
  await renewPlace();
  operations = (await billing.send('/openapi.json', { method: 'GET' })).body['paths'] as typeof operations;
});
afterAll(() => billing.close());

const formOf = ({ path }: Endpoint) => operations[`${BASE}${path}`]!['post']!.requestBody!.content[FORM]!.schema;
const fieldsOf = (endpoint: Endpoint) => Object.keys(formOf(endpoint).properties ?? {});
const requiredBy = (endpoint: Endpoint) => formOf(endpoint).required ?? [];
const encoded = (form: Form | readonly (readonly [string, string])[]) => new URLSearchParams(form as Record<string, string>).toString();
const without = (form: Form, name: string): Form => Object.fromEntries(Object.entries(form).filter(([one]) => one !== name));
const kindOf = (value: unknown) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);
const bytes = (text: string) => Buffer.from(text) as Bytes;

interface Sent {
  body?: string | Bytes;
  headers?: Readonly<Record<string, string>>;
  as?: Server | undefined;
  query?: string;
  method?: string;
}

async function send(endpoint: Endpoint, { body, headers = { 'content-type': FORM }, as = place.server, query = '', method = 'POST' }: Sent) {
  const authorization = endpoint.basic ? { authorization: basic(as) } : {};
  const response = await fetch(`${billing.url}${BASE}${endpoint.path}${query}`, { method, headers: { 'x-forwarded-for': randomAddress(), ...authorization, ...headers }, ...(body !== undefined && { body }) });
  return { status: response.status, allow: response.headers.get('allow'), answer: (await response.json()) as Record<string, unknown> };
}

/** In Zulip's shape, and about this field where one is named. */
async function expectRefusal(endpoint: Endpoint, sent: Sent, status = 400, field?: string): Promise<void> {
  const answer = await send(endpoint, sent);
  expect({ sent: String(sent.body).slice(0, 300), ...answer }).toMatchObject({ status, answer: { result: 'error', code: 'BAD_REQUEST', msg: expect.stringMatching(new RegExp(field === undefined ? '.' : `(^|; )${field}[.:]`)) } });
}

const refuseField = (endpoint: Endpoint, form: Form, field: string) => expectRefusal(endpoint, { body: encoded(form) }, 400, field);

/** What requests could change, but for when the last one came. */
async function standing({ server }: Place) {
  const { last_request_at: _last, ...row } = await billing.db.selectFrom('bridge.remote_server').selectAll().where('id', '=', server.id).executeTakeFirstOrThrow();
  return { row, realms: await billing.db.selectFrom('bridge.remote_realm').select(['id', 'host', 'name']).where('server_id', '=', server.id).execute() };
}

test('every endpoint of /openapi.json that servers call stands in the table, with its caller and its types', () => {
  const described = Object.entries(operations)
    .filter(([path]) => path.startsWith(BASE))
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => [method, path.slice(BASE.length), one.security !== undefined, Object.keys(one.requestBody?.content ?? {})]));
  const inTable = ENDPOINTS.map(({ path, basic: guarded, takesJson }) => ['post', path, guarded, takesJson ? [FORM, 'application/json'] : [FORM]]);
  expect(described.sort()).toEqual([...inTable, ['get', STATUS, true, []]].sort());
  for (const endpoint of ENDPOINTS) {
    expect([endpoint.path, fieldsOf(endpoint)]).toEqual([endpoint.path, expect.arrayContaining([...Object.keys(endpoint.valid(place)), ...Object.keys(endpoint.json)])]);
    expect(operations[`${BASE}${endpoint.path}`]!['post']!.requestBody!.required).toBe(requiredBy(endpoint).length > 0);
  }
});

describe.each(ENDPOINTS)('POST $path', (endpoint) => {
  beforeAll(renewPlace);
  const written = (change: Form = {}) => encoded({ ...endpoint.valid(place), ...change });

  test('takes the form that the others are made from', async () => {
    const own = await billing.place();
    const { status, answer } = await send(endpoint, { body: encoded(endpoint.valid(own)), as: own.server });
    expect([status, answer['msg']]).toEqual([endpoint.status, endpoint.says]);
  });

  test('takes it told in capitals with its charset, and in gzip', async () => {
    const [one, other] = [await billing.place(), await billing.place()];
    const plain = await send(endpoint, { body: encoded(endpoint.valid(one)), headers: { 'content-type': 'Application/X-WWW-Form-URLencoded; Charset="UTF-8"' }, as: one.server });
    const packed = await send(endpoint, { body: gzipSync(encoded(endpoint.valid(other))) as Bytes, headers: { 'content-type': FORM, 'content-encoding': 'gzip' }, as: other.server });
    expect([plain.status, packed.status]).toEqual([endpoint.status, endpoint.status]);
  });

  // The "&" makes a body where no field is needed.
  test.each<[string, Readonly<Record<string, string>>]>([
    ['plain text', { 'content-type': 'text/plain' }],
    ['a multipart form', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['no type', {}],
    ['an empty type', { 'content-type': '' }],
    ['a type that begins alike', { 'content-type': `${FORM}-x` }],
    ['two types', { 'content-type': `text/plain, ${FORM}` }],
    ['another type with ours as its parameter', { 'content-type': `text/plain; ${FORM}` }],
    ['another charset', { 'content-type': `${FORM}; charset=iso-8859-1` }],
    ['UTF-16', { 'content-type': `${FORM}; charset=utf-16le` }],
    ['a charset that is none', { 'content-type': `${FORM}; charset=utf-99` }],
    ['two charsets', { 'content-type': `${FORM}; charset=utf-8; charset=iso-8859-1` }],
    ['an unknown encoding', { 'content-type': FORM, 'content-encoding': 'rot13' }],
  ])('refuses %s with 415, and changes nothing', async (_name, headers) => {
    const before = await standing(place);
    await expectRefusal(endpoint, { body: bytes(`&${written()}`), headers }, 415);
    expect(await standing(place)).toEqual(before);
  });

  test.each(['{', '{}{}', '[]', 'null', '42', '"x"', '{"x":1}', '{"__proto__":1}', 'NaN', '[{}]'])('refuses the JSON %s', async (text) => {
    const before = await standing(place);
    await expectRefusal(endpoint, { body: text, headers: { 'content-type': 'application/json' } }, endpoint.takesJson ? 400 : 415);
    expect(await standing(place)).toEqual(before);
  });

  test('refuses the right fields as JSON', async () => {
    const before = await standing(place);
    await expectRefusal(endpoint, { body: JSON.stringify({ more: 'x', ...endpoint.valid(place) }), headers: { 'content-type': 'application/json' } }, endpoint.takesJson ? 400 : 415);
    expect(await standing(place)).toEqual(before);
  });

  test.each<[string, number, (limit: number) => Sent]>([
    ['a byte more than it takes', 413, (limit) => ({ body: `more=${'x'.repeat(limit - 4)}` })],
    ['1 MiB more than that', 413, (limit) => ({ body: `more=${'x'.repeat(limit + MEBIBYTE)}` })],
    ['that much in a few kilobytes of gzip', 413, (limit) => ({ body: gzipSync(`more=${'x'.repeat(limit)}`) as Bytes, headers: { 'content-type': FORM, 'content-encoding': 'gzip' } })],
    ['a thousand and one fields', 413, () => ({ body: Array.from({ length: 1_001 }, (_, at) => `a${at}=`).join('&') })],
    ['gzip that is none', 400, () => ({ body: '&more=x', headers: { 'content-type': FORM, 'content-encoding': 'gzip' } })],
  ])('refuses %s with %i', async (_name, status, sent) => {
    const before = await standing(place);
    await expectRefusal(endpoint, sent(endpoint.limitBytes), status);
    expect(await standing(place)).toEqual(before);
  });

  test('refuses every required field missing, and all of them, with a body or without', async () => {
    for (const name of requiredBy(endpoint)) await refuseField(endpoint, without(endpoint.valid(place), name), name);
    if (requiredBy(endpoint).length > 0) for (const sent of [{ body: '&' }, { headers: {} }]) await expectRefusal(endpoint, sent);
  });

  test('refuses every field that is empty, longer than anything, escaped wrongly, or with what no line has', async () => {
    for (const name of fieldsOf(endpoint).filter((one) => !(one in endpoint.json))) {
      for (const value of ['', 'x'.repeat(4_000), '%zz', 'a\r\nb', 'a\0', '\uFEFF']) await refuseField(endpoint, { ...endpoint.valid(place), [name]: value }, name);
    }
  });

  test('refuses every field twice, the optional ones too', async () => {
    const valid = endpoint.valid(place);
    for (const name of fieldsOf(endpoint)) {
      const value = valid[name] ?? 'x';
      await expectRefusal(endpoint, { body: encoded([...Object.entries(without(valid, name)), [name, value], [name, value]]) }, 400, name);
    }
  });

  test('refuses every required field as a list or an object', async () => {
    const valid = endpoint.valid(place);
    for (const name of requiredBy(endpoint)) {
      for (const odd of [`${name}[]`, `${name}[0]`, `${name}[x]`, `${name}.x`]) await refuseField(endpoint, { ...without(valid, name), [odd]: valid[name]! }, name);
    }
  });

  test.each(['admin', 'constructor', 'toString', 'hasOwnProperty', 'merge_base', 'a[b]'])('%s is a field that it does not know', async (name) => {
    const own = await billing.place();
    const { status, answer } = await send(endpoint, { body: encoded({ ...endpoint.valid(own), [name]: 'x' }), as: own.server });
    expect([status, String(answer['msg'])]).toEqual([endpoint.unknown?.status ?? endpoint.status, expect.stringContaining(endpoint.unknown?.says ?? endpoint.says)]);
  });

  test('refuses fields in the address', async () => {
    const before = await standing(place);
    for (const query of [`?${written()}&more=x`, '?x', '?__proto__=x']) await expectRefusal(endpoint, { body: written(), query });
    expect(await standing(place)).toEqual(before);
  });

  test.each(['GET', 'PUT', 'PATCH', 'DELETE'])('takes no %s', async (method) => {
    expect(await send(endpoint, { method })).toMatchObject({ status: 405, allow: 'POST', answer: { result: 'error', code: 'BAD_REQUEST' } });
  });
});

describe.each(ENDPOINTS.filter((endpoint) => endpoint.basic))('POST $path', (endpoint) => {
  test('looks at no body before it knows who asks', async () => {
    for (const headers of [{ 'content-type': 'text/plain' }, { 'content-type': FORM }]) {
      expect(await send(endpoint, { body: 'x'.repeat(100_000), headers, as: newServer() })).toMatchObject({ status: 401, answer: { result: 'error', code: 'UNAUTHORIZED' } });
    }
  });
});

describe.each(ENDPOINTS.flatMap((endpoint) => Object.entries(endpoint.json).map(([field, taken]) => ({ path: endpoint.path, endpoint, field, taken }))))('JSON in $field of $path', ({ endpoint, field, taken }) => {
  beforeAll(renewPlace);
  const formWith = (text: string): Form => ({ ...endpoint.valid(place), [field]: text });
  const right = taken.at(-1);
  const text = JSON.stringify(right);

  test.each<[string, string]>([
    ['that ends early', text.slice(0, -1)],
    ['that goes on', `${text}{}`],
    ['with a comment', `/* hello */${text}`],
    ['with single quotes', text.replaceAll('"', "'")],
    ['with a byte order mark', `\uFEFF${text}`],
    ['of NaN', 'NaN'],
    ['of nothing', ''],
    ['of JSON in JSON', JSON.stringify(JSON.stringify(right)).repeat(field === 'version' ? 2 : 1)],
    ['nested eight thousand times', `${'['.repeat(8_000)}${']'.repeat(8_000)}`],
  ])('refuses JSON %s', async (_name, wrong) => {
    await refuseField(endpoint, formWith(wrong), field);
  });

  test('refuses values of another type', async () => {
    const kinds = new Set(taken.map(kindOf));
    for (const value of VALUES.filter((one) => typeof one === 'object' && one !== null ? true : !kinds.has(kindOf(one)))) await refuseField(endpoint, formWith(JSON.stringify(value)), field);
  });

  const inner: unknown = Array.isArray(right) ? right[0] : right;
  if (typeof inner !== 'object' || inner === null) return;
  const whole = (one: string) => formWith(Array.isArray(right) ? `[${one}]` : one);
  const placeOf = (name: string) => (Array.isArray(right) ? `${field}\\.0\\.${name}` : `${field}\\.${name}`);

  test('refuses, inside, every field of another type or out of its range, and names the place', async () => {
    for (const [name, value] of Object.entries(inner)) {
      const wrong = [...VALUES.filter((one) => kindOf(one) !== kindOf(value)), ...(WRONG_INSIDE[name] ?? [])];
      for (const one of wrong) await refuseField(endpoint, whole(JSON.stringify({ ...inner, [name]: one })), placeOf(name));
    }
    for (const one of field === 'realmauditlog_rows' ? [42, true, ['x']] : []) await refuseField(endpoint, whole(JSON.stringify({ ...inner, extra_data: one })), placeOf('extra_data'));
  });

  test('refuses, inside, every required field missing', async () => {
    for (const name of Object.keys(inner).filter((one) => !OPTIONAL_INSIDE.has(one))) await refuseField(endpoint, whole(JSON.stringify({ ...inner, [name]: undefined })), placeOf(name));
  });

  if (field === 'user' || field === 'realm') {
    test('refuses, inside, a field twice, spelled alike or not', async () => {
      for (const name of Object.keys(inner)) {
        const escaped = `\\u${name.charCodeAt(0).toString(16).padStart(4, '0')}${name.slice(1)}`;
        for (const again of [name, escaped]) await refuseField(endpoint, whole(`{"${again}":"first",${JSON.stringify(inner).slice(1)}`), field);
      }
    });
  }

  if (field === 'realm' || field === 'realms') {
    test.each(['admin', 'constructor', '__proto__', ''])('refuses, inside, the unknown field %j', async (name) => {
      await refuseField(endpoint, whole(`{${JSON.stringify(name)}:"x",${JSON.stringify(inner).slice(1)}`), field);
    });
  }
});

describe(`GET ${STATUS}`, () => {
  test('takes no field', async () => {
    expect((await billing.remote(STATUS, { as: place.server })).status).toBe(200);
    for (const query of ['?x=1', '?zulip_org_id=x', '?x']) expect((await billing.remote(`${STATUS}${query}`, { as: place.server })).status).toBe(400);
  });
});

describe('what Zulip servers send', () => {
  test.each<[string, Sent]>([
    ['{} as JSON (register_server --deactivate)', { body: '{}', headers: { 'content-type': 'application/json' } }],
    ['nothing', { headers: {} }],
    ['a form of nothing', { body: '' }],
  ])('deactivates by %s', async (_name, sent) => {
    const own = await billing.place();
    expect(await send(ENDPOINTS.find(({ path }) => path === 'server/deactivate')!, { ...sent, as: own.server })).toMatchObject({ status: 200, answer: { result: 'success' } });
    expect((await standing(own)).row.deactivated_at).not.toBeNull();
  });

  test('reports with fields of newer versions, and is believed', async () => {
    const own = await billing.place();
    const realms = [newRealm({ uuid: randomUUID() })];
    const answer = await billing.report(own.server, realms, { realm_counts: '[{"id":12,"property":"x"}]', realmauditlog_rows: '[]', version: '"11.0"', merge_base: '"x"', api_feature_level: '400' });
    expect([answer.status, Object.keys(answer.body['realms'] as object).toSorted()]).toEqual([200, [realms[0]!.uuid]]);
    expect((await billing.remote(STATUS, { as: own.server })).body).toMatchObject({ last_realm_count_id: 12 });
  });

  test('reports nothing: nothing is wrong', async () => {
    expect((await send(ENDPOINTS.find(({ path }) => path === 'server/analytics')!, { headers: {} })).status).toBe(200);
  });
});
