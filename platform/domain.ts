import { domainToASCII } from 'node:url';

const DOMAIN = /^[a-z0-9-]+(\.[a-z0-9-]+)*$/;

/** In the form that addresses are kept in: lower case, IDNA. Undefined where it is no domain. */
export function canonicalDomain(written: string): string | undefined {
  const domain = domainToASCII(written.trim().normalize('NFC'));
  return DOMAIN.test(domain) ? domain : undefined;
}
