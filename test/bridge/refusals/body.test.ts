import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openBridge, type TestBridge } from '../support/bridge.ts';
import { addressOf, ask, ENDPOINTS, tokenFor, WITH_BODY, type Endpoint } from './endpoints.ts';

const MEBIBYTE = 1024 * 1024;
const JSON_TYPE = { 'content-type': 'application/json' };

interface Field {
  type?: string;
  enum?: readonly unknown[];
  maxLength?: number;
  maxItems?: number;
  items?: Field & Fields;
  additionalProperties?: Field;
  propertyNames?: Field;
}

interface Fields {
  properties: Record<string, Field>;
  required?: readonly string[];
}

interface Operation {
  security?: unknown;
  parameters?: readonly { name: string; in: 'query' | 'path' | 'header'; required?: boolean }[];
  requestBody?: { content: Record<string, { schema: Fields & { anyOf?: readonly Fields[] } }> };
  responses: Record<string, { content?: Record<string, unknown> }>;
}

let bridge: TestBridge;
let operations: Record<string, Record<string, Operation>>;
beforeAll(async () => {
  bridge = await openBridge({ env: { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '10000', REGISTER_LIMIT_PER_MINUTE: '10000' } });
  operations = (await bridge.send('/openapi.json', { method: 'GET' })).body['paths'] as typeof operations;
});
afterAll(() => bridge.close());

const operationOf = ({ method, path }: Endpoint) => operations[path]![method.toLowerCase()]!;
const fieldsOf = (endpoint: Endpoint): Fields => {
  const { schema } = operationOf(endpoint).requestBody!.content['application/json']!;
  return endpoint.body === undefined ? schema : schema.anyOf![endpoint.body]!;
};

/** Optional, and of no other shape than a line. */
const FREE_TEXTS = new Set(['firstname', 'lastname', 'first_name', 'last_name', 'company']);

/** Of one length or of a few values. */
const SHAPED = new Set(['attempt_id', 'outcome', 'session_id', 'user_id', 'uuid', 'sponsorship_id', 'app']);

/** Values that break one limit each, by one. */
function tooLong({ maxLength, maxItems, items, additionalProperties, propertyNames }: Field): unknown[] {
  const item = Object.fromEntries((items?.required ?? []).map((name) => [name, 'x']));
  return [
    ...(maxLength === undefined ? [] : ['x'.repeat(maxLength + 1)]),
    ...(maxItems === undefined ? [] : [Array.from({ length: maxItems + 1 }, () => item)]),
    ...Object.entries(items?.properties ?? {}).flatMap(([name, inner]) => tooLong(inner).map((value) => [{ ...item, [name]: value }])),
    ...(typeof additionalProperties === 'object' ? tooLong(additionalProperties).map((value) => ({ x: value })) : []),
    ...(propertyNames === undefined ? [] : tooLong(propertyNames).map((name) => ({ [String(name)]: 'x' }))),
  ];
}

interface Raw {
  body: string | Uint8Array<ArrayBuffer>;
  headers?: Readonly<Record<string, string>>;
}

async function post(endpoint: Endpoint, { body, headers = JSON_TYPE }: Raw) {
  const authorization = endpoint.caller === 'anybody' ? {} : { authorization: `Bearer ${await tokenFor(endpoint, bridge)}` };
  const response = await fetch(`${bridge.url}${addressOf(endpoint)}`, { method: endpoint.method, headers: { ...headers, ...authorization }, body });
  return { status: response.status, type: response.headers.get('content-type'), problem: (await response.json()) as Record<string, unknown> };
}

/** Refused in the declared way: the schema of the answer is one for all problems. */
async function expectRefusal(endpoint: Endpoint, raw: Raw, status: number, code: string): Promise<void> {
  const answer = await post(endpoint, raw);
  expect({ body: String(raw.body).slice(0, 200), ...answer }).toMatchObject({ status, type: 'application/problem+json; charset=utf-8', problem: { status, code, type: `urn:vestibule:problem:${code}` } });
  expect(Object.keys(operationOf(endpoint).responses)).toContain(String(status));
}

test('every optional text has a limit, and so has what stands in lists and maps', () => {
  const limits = WITH_BODY.flatMap((endpoint) => Object.entries(fieldsOf(endpoint).properties).filter(([, field]) => field.type !== 'boolean' && field.type !== 'integer' && field.enum === undefined).map(([name, field]) => ({ name, values: tooLong(field).length })));
  expect(limits.filter(({ name, values }) => values === 0 && !SHAPED.has(name))).toEqual([]);
  expect(Object.fromEntries(limits.map(({ name, values }) => [name, values]))).toMatchObject({ attributes: 2, consents: 3, company: 1 });
});

// Those that servers call speak forms, and have a table of their own: servers.test.ts.
test('every endpoint of /openapi.json stands in the table, with its caller', () => {
  const ours = Object.entries(operations).filter(([path]) => !path.startsWith('/api/v1/remotes/'));
  const described = ours.flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => `${method} ${path} ${one.security === undefined ? 'anybody' : 'guarded'}`));
  const inTable = ENDPOINTS.map(({ method, path, caller }) => `${method.toLowerCase()} ${path} ${caller === 'anybody' ? caller : 'guarded'}`);
  expect(described.sort()).toEqual([...new Set(inTable)].sort());
});

describe.each(WITH_BODY)('$method $path ($caller)', (endpoint) => {
  const written = async (change: object = {}) => JSON.stringify({ ...(await endpoint.valid(bridge)), ...change });

  test('takes the body that the others are made from', async () => {
    expect((await post(endpoint, { body: await written() })).status).toBe(endpoint.status);
  });

  test.each<[string, (valid: string) => string]>([
    ['that ends early', (valid) => valid.slice(0, -1)],
    ['that goes on', (valid) => `${valid}{}`],
    ['with a comment', (valid) => `/* hello */${valid}`],
    ['with single quotes', (valid) => valid.replaceAll('"', "'")],
    ['with a byte order mark in the middle', (valid) => valid.replace(':', ':\uFEFF')],
    ['of NaN', () => 'NaN'],
    ['of a text', (valid) => JSON.stringify(valid)],
    ['of a number', () => '42'],
    ['of null', () => 'null'],
    ['of a list', (valid) => `[${valid}]`],
    ['of nothing', () => ''],
    ['of an empty object', () => '{}'],
    ['nested as deep as it may be long', () => `${'['.repeat(8_000)}${']'.repeat(8_000)}`],
  ])('refuses a body %s', async (_name, change) => {
    await expectRefusal(endpoint, { body: change(await written()) }, 400, 'invalid_request');
  });

  test('refuses every field of another type', async () => {
    for (const [name, { type }] of Object.entries(fieldsOf(endpoint).properties)) {
      const others = [42, true, null, ['x'], { x: 'x' }].filter((value) => typeof value !== (type === 'integer' ? 'number' : type) && !(type === 'object' && value !== null && typeof value === 'object') && !(type === 'array' && Array.isArray(value)));
      for (const value of others) await expectRefusal(endpoint, { body: await written({ [name]: value }) }, 400, 'invalid_request');
    }
  });

  test('refuses every field that is empty, or longer than anything', async () => {
    for (const name of fieldsOf(endpoint).required ?? []) {
      for (const value of ['', 'x'.repeat(4_000)]) await expectRefusal(endpoint, { body: await written({ [name]: value }) }, 400, 'invalid_request');
    }
  });

  test('refuses every field that is longer by one than its schema says, and names it', async () => {
    for (const [name, field] of Object.entries(fieldsOf(endpoint).properties)) {
      for (const value of tooLong(field)) {
        const { status, problem } = await post(endpoint, { body: await written({ [name]: value }) });
        expect([name, status, String(problem['field']).split('.', 1)[0]]).toEqual([name, 400, name]);
      }
    }
  });

  test('takes optional texts as long as their schema says', async () => {
    const { properties } = fieldsOf(endpoint);
    for (const [name, { maxLength = 0 }] of Object.entries(properties).filter(([one]) => FREE_TEXTS.has(one))) {
      expect((await post(endpoint, { body: await written({ [name]: 'x'.repeat(maxLength) }) })).status).toBe(endpoint.status);
    }
  });

  test('refuses every required field missing', async () => {
    for (const name of fieldsOf(endpoint).required ?? []) {
      const { [name]: _without, ...rest } = await endpoint.valid(bridge);
      await expectRefusal(endpoint, { body: JSON.stringify(rest) }, 400, 'invalid_request');
    }
  });

  test.each(['admin', 'user_id ', 'TOKEN', '__proto__', 'constructor', 'toString', ''])('refuses the unknown field %j', async (name) => {
    const valid = await written();
    await expectRefusal(endpoint, { body: `${valid.slice(0, -1)},${JSON.stringify(name)}:"x"}` }, 400, 'invalid_request');
  });

  test('refuses, in what stands in lists, an unknown field, one of another type, one missing and one twice, and names the place', async () => {
    for (const [name, { items }] of Object.entries(fieldsOf(endpoint).properties)) {
      if (items?.properties === undefined) continue;
      const item: Record<string, unknown> = (await endpoint.valid(bridge))[name] === undefined ? Object.fromEntries(Object.keys(items.properties).map((one) => [one, 'x'])) : ((await endpoint.valid(bridge))[name] as Record<string, unknown>[])[0]!;
      const wrong = [
        ...['admin', '__proto__', 'toString'].map((unknown) => `{${JSON.stringify(unknown)}:"x",${JSON.stringify(item).slice(1)}`),
        ...Object.keys(items.properties).flatMap((one) => [42, null, true, ['x'], { x: 'x' }].map((value) => JSON.stringify({ ...item, [one]: value }))),
        ...(items.required ?? []).map((one) => JSON.stringify({ ...item, [one]: undefined })),
        'null',
        '"x"',
        '[]',
        '{}',
      ];
      const { [name]: _list, ...rest } = await endpoint.valid(bridge);
      for (const one of wrong) {
        const { status, problem } = await post(endpoint, { body: `{${JSON.stringify(name)}:[${one}],${JSON.stringify(rest).slice(1)}`.replace(',}', '}') });
        expect([one, status, String(problem['field'])]).toEqual([one, 400, expect.stringMatching(`^${name}\\.0`)]);
      }
      const [first] = Object.keys(items.properties);
      const twice = `{"${first}":"first",${JSON.stringify(item).slice(1)}`;
      await expectRefusal(endpoint, { body: `{${JSON.stringify(name)}:[${twice}],${JSON.stringify(rest).slice(1)}`.replace(',}', '}') }, 400, 'invalid_request');
    }
  });

  test('refuses, in what maps names to texts, another type, an odd name and a name twice', async () => {
    for (const [name, { additionalProperties }] of Object.entries(fieldsOf(endpoint).properties)) {
      if (typeof additionalProperties !== 'object') continue;
      const { [name]: _map, ...rest } = await endpoint.valid(bridge);
      const texts = ['{"team":42}', '{"team":null}', '{"team":["x"]}', '{"team":{"x":"x"}}', '{"team":"a\\u0000b"}', '{"":"x"}', '{"team":"one","team":"two"}'];
      for (const text of texts) await expectRefusal(endpoint, { body: `{${JSON.stringify(name)}:${text},${JSON.stringify(rest).slice(1)}` }, 400, 'invalid_request');
    }
  });

  test('refuses an unknown parameter besides the body', async () => {
    const authorization = endpoint.caller === 'anybody' ? {} : { authorization: `Bearer ${await tokenFor(endpoint, bridge)}` };
    const { status, body } = await bridge.send(`${addressOf(endpoint)}?admin=true`, { method: endpoint.method, headers: authorization, body: await written() });
    expect([status, body['code'], body['detail']]).toEqual([400, 'invalid_request', expect.stringContaining('admin')]);
  });

  test('refuses a field twice, spelled alike or not', async () => {
    for (const name of fieldsOf(endpoint).required ?? []) {
      const valid = await written();
      const escaped = `\\u${name.charCodeAt(0).toString(16).padStart(4, '0')}${name.slice(1)}`;
      for (const again of [name, escaped]) await expectRefusal(endpoint, { body: `{"${again}":"first",${valid.slice(1)}` }, 400, 'invalid_request');
    }
  });

  test.each<[string, number, string, (valid: string) => Raw]>([
    ['1 MiB of spaces', 413, 'payload_too_large', (valid) => ({ body: valid + ' '.repeat(MEBIBYTE) })],
    ['1 MiB in one field', 413, 'payload_too_large', (valid) => ({ body: `{"x":"${'x'.repeat(MEBIBYTE)}",${valid.slice(1)}` })],
    ['1 MiB in a kilobyte of gzip', 413, 'payload_too_large', (valid) => ({ body: gzipSync(valid + ' '.repeat(MEBIBYTE)) as Uint8Array<ArrayBuffer>, headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } })],
    ['gzip that is none', 400, 'invalid_request', (valid) => ({ body: valid, headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } })],
    ['an unknown encoding', 415, 'unsupported_media_type', (valid) => ({ body: valid, headers: { ...JSON_TYPE, 'content-encoding': 'rot13' } })],
    ['a form', 415, 'unsupported_media_type', () => ({ body: 'token=x&username=ada%40example.com', headers: { 'content-type': 'application/x-www-form-urlencoded' } })],
    ['plain text', 415, 'unsupported_media_type', (valid) => ({ body: valid, headers: { 'content-type': 'text/plain' } })],
    ['a multipart form', 415, 'unsupported_media_type', (valid) => ({ body: valid, headers: { 'content-type': 'multipart/form-data; boundary=x' } })],
    ['a type that begins alike', 415, 'unsupported_media_type', (valid) => ({ body: valid, headers: { 'content-type': 'application/json-patch+json' } })],
    ['two types', 415, 'unsupported_media_type', (valid) => ({ body: valid, headers: { 'content-type': 'text/plain, application/json' } })],
    ['no type', 415, 'unsupported_media_type', (valid) => ({ body: Buffer.from(valid) as Uint8Array<ArrayBuffer>, headers: {} })],
    ['UTF-16', 415, 'unsupported_media_type', (valid) => ({ body: Buffer.from(valid, 'utf16le') as Uint8Array<ArrayBuffer>, headers: { 'content-type': 'application/json; charset=utf-16le' } })],
    ['UTF-7', 415, 'unsupported_media_type', (valid) => ({ body: valid, headers: { 'content-type': 'application/json; charset=utf-7' } })],
  ])('refuses %s with %i', async (_name, status, code, change) => {
    await expectRefusal(endpoint, change(await written()), status, code);
  });

  const taken = new Set(ENDPOINTS.filter(({ path }) => path === endpoint.path).flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])));
  test.each(['GET', 'PUT', 'PATCH', 'DELETE', 'POST'].filter((method) => !taken.has(method)))('takes no %s, whoever asks', async (method) => {
    const answer = await bridge.send(addressOf(endpoint), { method });
    expect([answer.status, answer.headers.get('allow'), answer.body['code']]).toEqual([405, [...taken].join(', '), 'method_not_allowed']);
  });
});

const refused = (query: string) => ({ query: query.slice(0, 200), status: 400, code: 'invalid_request' });

describe.each(ENDPOINTS.filter(({ method }) => method === 'GET'))('$method $path ($caller)', (endpoint) => {
  const parameters = () => (operationOf(endpoint).parameters ?? []).filter((one) => one.in === 'query').map(({ name }) => name);
  const answerTo = async (query: string, path = addressOf(endpoint)) => {
    const { status, body } = await bridge.send(`${path}?${query}`, { method: 'GET', headers: { authorization: `Bearer ${await tokenFor(endpoint, bridge)}` } });
    return { query: query.slice(0, 200), status, code: body['code'] };
  };
  const validQuery = async () => new URLSearchParams((await endpoint.valid(bridge)) as Record<string, string>);

  test('takes the query that the others are made from', async () => {
    expect((await answerTo((await validQuery()).toString())).status).toBe(endpoint.status);
  });

  test.each(['admin=true', 'ID=1', '__proto__=x', '__proto__[x]=x', 'constructor=x', 'a[]=x', '=x', 'x'])('refuses the unknown parameter %s', async (unknown) => {
    const query = [(await validQuery()).toString(), unknown].filter((part) => part !== '').join('&');
    expect(await answerTo(query)).toEqual(refused(query));
  });

  test('refuses every parameter twice, as a list, as an object, too long, and with what no line has', async () => {
    for (const name of parameters()) {
      const valid = await validQuery();
      const [value = 'x'] = [valid.get(name)];
      valid.delete(name);
      const wrong = [`${name}=${value}&${name}=${value}`, `${name}[]=${value}`, `${name}[x]=${value}`, `${name}=${'x'.repeat(4_000)}`, `${name}=a%0D%0Ab`, `${name}=a%00`];
      for (const one of wrong.map((part) => [valid.toString(), part].filter((some) => some !== '').join('&'))) expect(await answerTo(one)).toEqual(refused(one));
    }
  });

  test.each(['1', 'x', `${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(13)}`, '%00', '..%2f', 'null'])('refuses the id %s', async (id) => {
    if (!endpoint.path.includes('{id}')) return;
    expect((await answerTo('', endpoint.path.replace('{id}', id))).status).toBe(400);
  });
});

describe('GET /api/trial/infos', () => {
  const infos = ENDPOINTS.find(({ method }) => method === 'GET')!;

  test.each([
    ['nothing', ''],
    ['neither user_id nor username', 'client_id=vestibule-proxy'],
    ['both', 'user_id=a&username=ada%40example.com'],
    ['an unknown field', 'user_id=a&admin=true'],
    ['a field twice', 'user_id=a&user_id=b'],
    ['a client twice', 'user_id=a&client_id=b&client_id=c'],
    ['a field as a list', 'user_id[]=a'],
    ['a field as an object', 'user_id[x]=a'],
    ['a prototype', 'user_id=a&__proto__=x'],
    ['an empty field', 'user_id='],
    ['a field that is too long', `user_id=${'a'.repeat(256)}`],
    ['a username that is too long', `username=${'a'.repeat(321)}`],
    ['a line break', 'user_id=a%0D%0Ab'],
    ['a null byte', 'user_id=a%00'],
  ])('refuses %s', async (_name, query) => {
    const answer = await ask(bridge, infos, { token: await tokenFor(infos, bridge), content: query });
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid_request']);
  });

  test('takes no other method, whoever asks', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const answer = await bridge.send(infos.path, { method });
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    }
  });
});

test('no refusal was an error of the bridge', () => {
  const lines = bridge.log().trim().split('\n').map((line) => JSON.parse(line) as { level: number; status?: number });
  expect(lines.filter(({ level, status = 0 }) => level >= 50 || status >= 500)).toEqual([]);
});
