import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { findProduct, loadProducts, productsOfClient } from '../../platform/products.ts';

function file(yaml: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'products-')), 'products.yaml');
  writeFileSync(path, yaml);
  return path;
}

const one = (id: string) => `{id: ${id}, name: N, trial_days: 14, clients: [vestibule-proxy], app: {name: A}}`;

test('the shipped file has one product, app, and it is the default', () => {
  const products = loadProducts('products.yaml');
  expect(findProduct(products, undefined)).toMatchObject({ id: 'app', start_url: '/', trial_days: 14, grace_days: 3 });
  expect(findProduct(products, 'other')).toBeUndefined();
});

test('products are found by the client they apply to', () => {
  const products = loadProducts(file(`products: [${one('app')}, ${one('other').replace('vestibule-proxy', 'second')}]`));
  expect(productsOfClient(products, 'second').map((product) => product.id)).toEqual(['other']);
});

test.each([
  ['two products of one id', `products: [${one('app')}, ${one('app')}]`, 'product ids must differ'],
  ['a misspelt key', `products: [${one('app').replace('trial_days', 'trial_day')}]`, 'trial_day'],
  ['a start address of another host', `products: [${one('app').replace('name: N', 'name: N, start_url: //evil.example')}]`, 'a path or an http(s) address'],
  ['no products', 'products: []', 'products'],
])('%s stops the start and is named', (_, yaml, message) => {
  expect(() => loadProducts(file(yaml))).toThrow(message);
});
