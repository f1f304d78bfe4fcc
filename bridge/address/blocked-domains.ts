import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigError } from '../../platform/config.ts';
import { canonicalDomain } from '../../platform/domain.ts';
import type { Product, Products } from '../../platform/products.ts';
import { domainOf } from './address.ts';

const FAULTS_NAMED = 20;

/** Whether people of this address get no mail of this product's. */
export type IsBlocked = (product: Product, address: string) => boolean;

/**
 * What the products file lists, and what stands in its `blocked_domains_file`, read once: a domain on a line, with all
 * below it; `#` begins a comment. Throws {@link ConfigError} with every line that is none.
 */
export function blockedDomains(products: Products): IsBlocked {
  const blocked = new Map(products.map((product) => [product.id, new Set([...product.blocked_domains, ...domainsIn(product)])]));
  return ({ id }, address) => {
    const labels = domainOf(address).split('.');
    return labels.some((_label, at) => blocked.get(id)?.has(labels.slice(at).join('.')));
  };
}

function domainsIn({ id, blocked_domains_file: file }: Product): readonly string[] {
  if (file === undefined) return [];
  const read = readText(id, file)
    .split(/\r\n|\n/)
    .map((line, at) => ({ number: at + 1, written: line.replace(/#.*$/, '').trim() }))
    .filter(({ written }) => written !== '')
    .map((line) => ({ ...line, domain: canonicalDomain(line.written) }));
  const faults = read.filter(({ domain }) => domain === undefined).map(({ number, written }) => `line ${number}: ${JSON.stringify(written.slice(0, 80))} must be a domain, such as example.com`);
  if (faults.length === 0) return read.map(({ domain = '' }) => domain);
  const more = faults.length > FAULTS_NAMED ? [`and ${faults.length - FAULTS_NAMED} more`] : [];
  throw new ConfigError([...faults.slice(0, FAULTS_NAMED), ...more], `The file of blocked domains ${resolve(file)} is not usable. Correct it (docs/products.md says how it is written):`);
}

function readText(productId: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError([`${resolve(file)}: ${code === 'ENOENT' ? 'there is no such file' : `it can't be read (${code})`}`], `Correct blocked_domains_file of the product ${productId}, or leave it out:`);
  }
}
