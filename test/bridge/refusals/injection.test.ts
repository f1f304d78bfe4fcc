import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { creationOf, openBridge, type TestBridge } from '../support/bridge.ts';
import { newAddress } from './endpoints.ts';

const PAYLOADS = [
  '<%= process.env.HOME %>',
  '<%~ it.product.name %>',
  '{{7*7}}',
  '{{constructor.constructor("return process")()}}',
  '${7*7}',
  '#{7*7}',
  '*{T(java.lang.Runtime).getRuntime()}',
  '<script>alert(7*7)</script>',
  '<#assign x="freemarker.template.utility.Execute"?new()>${x("id")}',
  '=HYPERLINK("https://evil.example")',
  'https://evil.example/verify',
  '\u202Eexe.evil',
  '%s%n%x',
  '{"level":60,"msg":"forged"}',
  "'; drop table bridge.invitation; --",
];
const BREAKS = ['\r\nBcc: eve@example.com', '\nBcc: eve@example.com', '\r\n\r\n<h1>Hello</h1>', '\0', '\u0085x', '\u001B[31mred'];

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge({
    env: { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '10000', REGISTER_LIMIT_PER_MINUTE: '10000', MAIL_LIMIT_SECONDS_BETWEEN: '0' },
    product: { attributes: [{ id: 'team', label: 'Team', required: false, max_length: 200 }] },
  });
});
afterAll(() => bridge.close());

const register = (body: object) => bridge.send('/api/trial/register', { body });
const mailsTo = (address: string) => bridge.inbox.messages().filter(({ to }) => to === address);
const evaluated = /\b49\b|freemarker|\[object Object\]/;

describe('a template or a command in a name', () => {
  test.each(PAYLOADS)('%j is text: it reaches neither mail nor log, and Keycloak as it was written', async (payload) => {
    const username = newAddress();
    const answer = await register({ username, firstname: payload, lastname: payload, company: payload, attributes: { team: payload } });
    expect(answer.status).toBe(202);
    await bridge.settled();
    const [mail, ...others] = mailsTo(username);
    const { html = '', text = '', subject = '', from = '', links = [] } = mail ?? {};
    expect([mail === undefined, others]).toEqual([false, []]);
    for (const part of [html, text, subject, from]) expect(part).not.toContain(payload);
    expect(`${html}${text}${subject}`).not.toMatch(evaluated);
    expect(bridge.log()).not.toContain(JSON.stringify(payload).slice(1, -1));
    const token = new URL(links.find((link) => link.includes('invitation_token')) ?? 'none:').searchParams.get('invitation_token');
    expect((await bridge.asStep('/api/trial/verify', { token })).body).toMatchObject({ valid: true, first_name: payload, last_name: payload });
  });

  test.each(PAYLOADS)('%j in a creation reaches neither answer nor log', async (payload) => {
    const address = newAddress();
    const creation = creationOf(await bridge.invite({ address }), { username: address, first_name: payload, last_name: payload });
    const answer = await bridge.asStep('/api/trial/creation', creation);
    expect(answer.status).toBe(200);
    expect(JSON.stringify(answer.body)).not.toContain(JSON.stringify(payload).slice(1, -1));
    expect(bridge.log()).not.toContain(JSON.stringify(payload).slice(1, -1));
  });

  test.each(["{{7*7}}@example.com", '${7*7}@example.com', '#{7*7}@example.com', "o'&amp@example.com", '%s%n@example.com'])('the address %s is text where the mail names it', async (username) => {
    await register({ username });
    await bridge.settled();
    const [mail] = mailsTo(username);
    expect(mail?.text).toContain(username);
    expect(mail?.html).toContain(username.replaceAll('&', '&amp;').replaceAll("'", '&#39;'));
    expect(mail?.html).not.toMatch(evaluated);
  });
});

describe('a line break', () => {
  const fields: readonly [string, (text: string) => object][] = [
    ['username', (text) => ({ username: `ada${text}@example.com` })],
    ['domain', (text) => ({ username: `ada@example.com${text}.evil.example` })],
    ['firstname', (text) => ({ firstname: `Ada${text}` })],
    ['lastname', (text) => ({ lastname: `Lovelace${text}` })],
    ['company', (text) => ({ company: `Engines${text}` })],
    ['product', (text) => ({ product: `app${text}` })],
    ['locale', (text) => ({ locale: `en${text}` })],
    ['next_page', (text) => ({ next_page: `/start${text}` })],
    ['attribute', (text) => ({ attributes: { team: `one${text}` } })],
    ['name of an attribute', (text) => ({ attributes: { [`team${text}`]: 'one' } })],
    ['consent', (text) => ({ consents: [{ id: `terms${text}`, version: '1' }] })],
  ];
  test.each(fields)('in %s is refused by register', async (_name, make) => {
    for (const text of BREAKS) {
      const answer = await register({ username: newAddress(), ...make(text) });
      expect([text, answer.status, answer.body['code']]).toEqual([text, 400, 'invalid_request']);
    }
  });

  test.each(['username', 'user_id', 'attempt_id', 'first_name', 'last_name', 'locale'])('in %s is refused by creation', async (name) => {
    const address = newAddress();
    const creation: Record<string, unknown> = { first_name: 'Ada', last_name: 'Lovelace', locale: 'en', ...creationOf(await bridge.invite({ address }), { username: address }) };
    for (const text of BREAKS) {
      const answer = await bridge.asStep('/api/trial/creation', { ...creation, [name]: `${String(creation[name])}${text}` });
      expect([text, answer.status, answer.body['code']]).toEqual([text, 400, 'invalid_request']);
    }
  });

  test('in an address of the request writes one line of log', async () => {
    await bridge.send('/api/trial/%0D%0A{"level":60}', { method: 'GET' });
    const lines = bridge.log().trim().split('\n').map((line) => JSON.parse(line) as { level: number });
    expect(lines.filter(({ level }) => level >= 50)).toEqual([]);
  });
});

describe('an address that mail servers disagree on', () => {
  test.each([
    ['capitals', 'ADA.Caps@EXAMPLE.com', 'ada.caps@example.com'],
    ['dots', 'a.d.a.dots@example.com', 'a.d.a.dots@example.com'],
    ['a plus tag', 'ada.plus+tag@example.com', 'ada.plus+tag@example.com'],
    ['blanks around', '  ada.blank@example.com ', 'ada.blank@example.com'],
    ['an umlaut in the domain', 'ada.idn@bücher.example', 'ada.idn@xn--bcher-kva.example'],
    ['the same, decomposed', 'ada.nfd@bu\u0308cher.example', 'ada.nfd@xn--bcher-kva.example'],
    ['punycode', 'ada.puny@XN--BCHER-KVA.example', 'ada.puny@xn--bcher-kva.example'],
    ['a sharp s', 'ada.sz@straße.example', 'ada.sz@xn--strae-oqa.example'],
    ['full-width letters in the domain', 'ada.wide@ｅｘａｍｐｌｅ．ｃｏｍ', 'ada.wide@example.com'],
    ['a Cyrillic look-alike of the domain', 'ada.cyr@exаmple.com', 'ada.cyr@xn--exmple-4nf.com'],
    ['the longest local part', `${'l'.repeat(64)}@example.com`, `${'l'.repeat(64)}@example.com`],
  ])('with %s: stored and mailed in one form, which Keycloak gets too', async (_name, written, canonical) => {
    expect((await register({ username: written })).status).toBe(202);
    await bridge.settled();
    const [mail] = mailsTo(canonical);
    expect(mail?.to).toBe(canonical);
    const token = new URL(mail?.links.find((link) => link.includes('invitation_token')) ?? 'none:').searchParams.get('invitation_token');
    expect((await bridge.asStep('/api/trial/verify', { token })).body['username']).toBe(canonical);
  });

  test.each([
    ['quotes', '"ada"@example.com'],
    ['quotes around another address', '"ada@example.com"@evil.example'],
    ['a quoted blank', '"a da"@example.com'],
    ['a comment', 'ada(me)@example.com'],
    ['a name before it', 'Ada <ada@example.com>'],
    ['a route', '@relay.example:ada@example.com'],
    ['a percent route', 'ada%example.com@'],
    ['two addresses', 'ada@example.com,eve@example.com'],
    ['a semicolon', 'ada@example.com;eve@example.com'],
    ['a group', 'all:ada@example.com;'],
    ['two dots', 'ada..x@example.com'],
    ['a dot at the end', 'ada.@example.com'],
    ['a dot at the end of the domain', 'ada@example.com.'],
    ['letters that are not ASCII', 'adä@example.com'],
    ['a Cyrillic a', '\u0430da@example.com'],
    ['a Kelvin sign', '\u212Aate@example.com'],
    ['a dotless i', '\u0131da@example.com'],
    ['a zero-width joiner', 'a\u200Dda@example.com'],
    ['a soft hyphen', 'a\u00ADda@example.com'],
    ['a lone surrogate', 'ada\uD800@example.com'],
    ['an address literal', 'ada@[192.0.2.1]'],
    ['an IPv6 literal', 'ada@[IPv6:2001:db8::1]'],
    ['an address without brackets', 'ada@192.0.2.1'],
    ['no domain of a country or kind', 'ada@localhost'],
    ['punycode of ASCII letters', 'ada@xn--example-.com'],
    ['punycode that is none', 'ada@xn--99999999.com'],
    ['a local part of 65', `${'l'.repeat(65)}@example.com`],
    ['a label of 64', `ada@${'d'.repeat(64)}.com`],
    ['255 characters', `${'l'.repeat(60)}@${`${'d'.repeat(60)}.`.repeat(3)}${'e'.repeat(8)}.com`],
    ['a few thousand characters', `${'l'.repeat(4000)}@example.com`],
    ['nothing but @', '@'],
  ])('with %s is refused', async (_name, username) => {
    const answer = await register({ username });
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid_request']);
  });

  test.each([
    ['another case', 'Ada@Example.COM', 200],
    ['full-width letters', 'ada@ｅｘａｍｐｌｅ.com', 200],
    ['a plus tag', 'ada+tag@example.com', 409],
    ['a dot', 'a.da@example.com', 409],
    ['a Cyrillic domain', 'ada@exаmple.com', 409],
    ['a Cyrillic local part', '\u0430da@example.com', 409],
    ['quotes', '"ada"@example.com', 409],
  ])('spelled with %s, creation answers %s %i', async (_name, username, status) => {
    const creation = creationOf(await bridge.invite({ address: 'ada@example.com' }), { username });
    expect((await bridge.asStep('/api/trial/creation', creation)).status).toBe(status);
  });
});
