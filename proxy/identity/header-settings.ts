import { z } from 'zod';
import { HOP_BY_HOP } from '../upstream/hop-by-hop.ts';
import { plainName, type HeaderClaims } from './identity-headers.ts';

/** What apps and gateways need for other things. */
const TAKEN = new Set([...HOP_BY_HOP, 'host', 'cookie', 'authorization', 'content-length', 'content-type', 'content-encoding', 'origin', 'forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-request-id', 'x-vestibule-identity']);

const headerName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9-]*$/, 'must be a header name of letters, digits and dashes')
  .refine((name) => !TAKEN.has(name.toLowerCase()), 'is a header that has another meaning: choose another name');
const claimName = z.string().regex(/^[^\s,=]+$/, 'must be the name of a claim');

export const identityHeadersSetting = z
  .record(headerName, claimName)
  .refine((headers) => Object.keys(headers).length > 0, 'must name at least one header')
  .refine((headers) => new Set(Object.keys(headers).map((name) => plainName(name.toLowerCase()))).size === Object.keys(headers).length, 'two headers have the same name');

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
