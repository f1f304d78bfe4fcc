import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ConfigError } from '../../platform/config.ts';
import { findProduct, loadProducts, productsOfClient, wordingIn } from '../../platform/products.ts';

function file(yaml: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'products-')), 'products.yaml');
  writeFileSync(path, yaml);
  return path;
}

/** What the operator reads. */
function faultOf(path: string): string {
  try {
    loadProducts(path);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

const one = (id: string) => `{id: ${id}, name: N, trial_days: 14, clients: [vestibule-proxy], app: {name: A}}`;

test('the shipped file has one product, app, and it is the default', () => {
  const products = loadProducts('products.yaml');
  expect(findProduct(products, undefined)).toMatchObject({ id: 'app', start_url: '/', trial_days: 14, grace_days: 3 });
  expect(findProduct(products, 'other')).toBeUndefined();
});

test('the test stack has the shipped product as its default, and a second one', () => {
  const [first, second] = loadProducts('test/support/products.yaml');
  expect(first).toEqual(loadProducts('products.yaml')[0]);
  expect(second?.id).toBe('lab');
});

test('products are found by the client they apply to', () => {
  const products = loadProducts(file(`products: [${one('app')}, ${one('other').replace('vestibule-proxy', 'second')}]`));
  expect(productsOfClient(products, 'second').map((product) => product.id)).toEqual(['other']);
});

test.each([
  ['two products of one id', `products: [${one('app')}, ${one('app')}]`, 'product ids must differ'],
  ['a misspelt key', `products: [${one('app').replace('trial_days', 'trial_day')}]`, 'trial_day'],
  ['a start address of another host', `products: [${one('app').replace('name: N', 'name: N, start_url: //evil.example')}]`, 'a path or an http(s) address'],
  ['waiting for an app that nobody tells', `products: [${one('app').replace('name: N', 'name: N, provision: wait')}]`, '`provision: wait` needs a `webhook`'],
  ['a secret that stands in the file', `products: [${one('app').replace('name: N', 'name: N, webhook: {url: "https://app.example.com", secret_env: whsec_abc}')}]`, 'webhook.secret_env'],
  ['no products', 'products: []', 'products'],
])('%s stops the start and is named', (_, yaml, message) => {
  const path = file(yaml);
  expect(faultOf(path)).toContain(message);
  expect(faultOf(path)).toContain(path);
});

test.each([
  ['a syntax error', () => file('products: [{id: app'), /^The products file \/.*products\.yaml is not usable\. Correct it \(docs\/products\.md.*\n {2}\S.* at line 1, column \d+$/],
  ['an empty file', () => file(''), /\n {2}the file: must be an object/],
  ['no file', () => '/nowhere/products.yaml', /\n {2}PRODUCTS_FILE: \/nowhere\/products\.yaml: there is no such file$/],
  ['a folder', () => tmpdir(), /\n {2}PRODUCTS_FILE: \/.*: it can't be read \(EISDIR\)$/],
])('%s is told in words, with its place', (_, path, message) => {
  expect(faultOf(path())).toMatch(message);
});

test('every fault is named at once, by its place', () => {
  expect(faultOf(file(`products: [${one('app').replace('14', '-1').replace('name: N', 'name: ""')}]`))).toMatch(/products\.0\.name: .*\n {2}products\.0\.trial_days: /);
});

const blocking = (domain: string) => file(`products: [${one('app').replace('name: N', `name: N, blocked_domains: ["${domain}"]`)}]`);

test.each([
  ['Blocked.Example', 'blocked.example'],
  ['BÜCHER.example', 'xn--bcher-kva.example'],
  [' blocked.example ', 'blocked.example'],
])('the blocked domain %j is kept as %s, as addresses are', (written, kept) => {
  expect(loadProducts(blocking(written))[0].blocked_domains).toEqual([kept]);
});

test.each(['', '@blocked.example', '*.blocked.example', '.blocked.example', 'a b.example'])('the blocked domain %j is a fault', (written) => {
  expect(faultOf(blocking(written))).toContain('products.0.blocked_domains.0: must be a domain');
});

const asking = (what: string) => file(`products: [${one('app').replace('name: N', `name: N, locale: en, ${what}`)}]`);

test('a label is in the language of the page, of whose dialect it is, or of the product', () => {
  const [product] = loadProducts(asking('attributes: [{id: team, label: {en: Team, fr: Équipe}}, {id: role, label: Role}]'));
  const labels = (language: string) => product.attributes.map(({ label }) => wordingIn(label, language, product));
  expect(labels('fr')).toEqual(['Équipe', 'Role']);
  expect(labels('fr-CA')).toEqual(['Équipe', 'Role']);
  expect(labels('de')).toEqual(['Team', 'Role']);
});

test.each([
  ['a label without the language of the product', 'consents: [{id: terms, version: "1", label: {fr: Conditions}}]', 'products.0.consents.0.label: needs a text in en'],
  ['two consents of one id', 'consents: [{id: terms, version: "1", label: A}, {id: terms, version: "2", label: B}]', 'products.0.consents: ids must differ'],
  ['two attributes of one id', 'attributes: [{id: team, label: A}, {id: team, label: B}]', 'products.0.attributes: ids must differ'],
  ['a link that is a script', 'consents: [{id: terms, version: "1", label: A, url: "javascript:alert(1)"}]', 'products.0.consents.0.url'],
])('%s is a fault', (_, what, message) => {
  expect(faultOf(asking(what))).toContain(message);
});
