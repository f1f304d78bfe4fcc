import { z } from 'zod';
import { HOP_BY_HOP } from '../upstream/hop-by-hop.ts';
import { plainName, type HeaderClaims } from './identity-headers.ts';

/** What apps and gateways need for other things. */
const TAKEN = new Set([...HOP_BY_HOP, 'host', 'cookie', 'authorization', 'content-length', 'content-type', 'content-encoding', 'origin', 'forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-request-id', 'x-vestibule-identity']);

const HEADER_NAME = /^[A-Za-z][A-Za-z0-9-]*$/;
const claimName = z.string().regex(/^[^\s,=]+$/, 'must be the name of a claim');

export const identityHeadersSetting = z.record(z.string(), claimName).superRefine((headers, context) => {
  const names = Object.keys(headers);
  if (names.length === 0) context.addIssue('must name at least one header');
  if (new Set(names.map((name) => plainName(name.toLowerCase()))).size < names.length) context.addIssue('two headers have the same name');
  for (const name of names) {
    if (!HEADER_NAME.test(name)) context.addIssue({ code: 'custom', path: [name], message: 'must be a header name of letters, digits and dashes' });
    if (TAKEN.has(name.toLowerCase())) context.addIssue({ code: 'custom', path: [name], message: 'is a header that has another meaning: choose another name' });
  }
});

/** `X-User=sub, X-Department=department` */
export const identityHeadersText = z
  .string()
  .transform((written, context): HeaderClaims => {
    const pairs = written.split(',').map((pair) => pair.split('=').map((part) => part.trim()));
    const parsed = identityHeadersSetting.safeParse(Object.fromEntries(pairs));
    const twice = new Set(pairs.map(([name = '']) => plainName(name.toLowerCase()))).size < pairs.length;
    if (parsed.success && !twice && pairs.every((pair) => pair.length === 2)) return parsed.data;
    const why = parsed.error?.issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(' ')) ?? ['each header once, as Name=claim, separated by commas'];
    for (const message of why) context.addIssue(message);
    return z.NEVER;
  });
