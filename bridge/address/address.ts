import { domainToASCII, domainToUnicode } from 'node:url';

const MAX_LOCAL_LENGTH = 64;
const MAX_LENGTH = 254;
const MAX_LABEL_LENGTH = 63;

// RFC 5321 dot-atom. No quoted strings, no comments, no address literals: mail servers disagree about them.
const LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
// domainToASCII decodes percent signs and forgives what belongs to other parts of a URL.
const FOREIGN_TO_DOMAINS = /[\s%:/?#@[\]\\<>^|"'`]|\p{Cc}/u;

/**
 * The one form of an e-mail address (SECURITY.md 7), or undefined for what we refuse: ASCII local part, domain through
 * UTS 46, lower case. Dots and plus tags stay. Everything that stores, compares or mails an address starts here.
 */
export function canonicalAddress(written: string): string | undefined {
  const address = written.trim();
  const at = address.lastIndexOf('@');
  if (at < 1) return undefined;
  const local = lowerAscii(address.slice(0, at));
  const domain = canonicalDomain(address.slice(at + 1));
  if (domain === undefined || local.length > MAX_LOCAL_LENGTH || !LOCAL.test(local)) return undefined;
  const canonical = `${local}@${domain}`;
  return canonical.length > MAX_LENGTH ? undefined : canonical;
}

/** What limits count: the address without its plus tag. */
export function mailboxOf(address: string): string {
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at);
  const tag = local.indexOf('+');
  return tag > 0 ? `${local.slice(0, tag)}${address.slice(at)}` : address;
}

export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1);
}

function canonicalDomain(written: string): string | undefined {
  if (FOREIGN_TO_DOMAINS.test(written)) return undefined;
  const domain = domainToASCII(written.normalize('NFC'));
  if (domainToASCII(domainToUnicode(domain)) !== domain || /(^|\.)xn--/.test(domainToUnicode(domain))) return undefined;
  const labels = domain.split('.');
  const top = labels.at(-1) ?? '';
  if (labels.length < 2 || /^\d/.test(top)) return undefined;
  return labels.every((label) => label.length <= MAX_LABEL_LENGTH && LABEL.test(label)) ? domain : undefined;
}

// Neither toLowerCase nor NFC: both turn the Kelvin sign into a k (CVE-2019-19844 was of this kind).
function lowerAscii(value: string): string {
  return value.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
