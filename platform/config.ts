import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';
import { secret, type Secret } from './secret.ts';

/** Thrown once, with every fault by the name of its variable or of its place in the products file. */
export class ConfigError extends Error {
  readonly faults: readonly string[];
  constructor(faults: readonly string[], advice = 'Configuration is not usable. Set or correct these environment variables:') {
    super(adviceOn(advice, faults));
    this.name = 'ConfigError';
    this.faults = faults;
  }

  /** Several as one; where the advice is the same, it is given once. */
  static of(all: readonly ConfigError[]): ConfigError {
    const [first, ...others] = all;
    if (!first || others.length === 0) return first ?? new ConfigError([]);
    const one = new ConfigError(all.flatMap(({ faults }) => faults));
    one.message = [...Map.groupBy(all, adviceOf)].map(([advice, same]) => adviceOn(advice, same.flatMap(({ faults }) => faults))).join('\n');
    return one;
  }
}

function adviceOn(advice: string, faults: readonly string[]): string {
  return `${advice}\n${faults.map((fault) => `  ${fault}`).join('\n')}`;
}

function adviceOf({ message }: ConfigError): string {
  return message.split('\n', 1)[0] ?? '';
}

/** What each of them answers; when some throw {@link ConfigError}, one that names all their faults. */
export function together<Parts extends readonly (() => unknown)[]>(...parts: Parts): { [At in keyof Parts]: ReturnType<Parts[At]> } {
  const broken: ConfigError[] = [];
  const read = parts.map((part) => {
    try {
      return part();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      broken.push(error);
      return undefined;
    }
  });
  if (broken.length > 0) throw ConfigError.of(broken);
  return read as { [At in keyof Parts]: ReturnType<Parts[At]> };
}

/** Pure: turns environment variables into a frozen configuration, or throws {@link ConfigError} naming all faults. */
export function readConfig<Shape extends z.ZodRawShape>(
  shape: Shape,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<z.infer<z.ZodObject<Shape>>> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = z.object(shape).safeParse(given);
  if (parsed.success) return Object.freeze(parsed.data);
  throw new ConfigError(
    parsed.error.issues.map((issue) => {
      const name = issue.path.join('.');
      return given[String(issue.path[0])] === undefined ? `${name}: is not set` : `${name}: ${faultInWords(issue)}`;
    }),
  );
}

/** What zod says by itself, and names types of JavaScript in. */
const ZODS_OWN = /^(Invalid input|Invalid option|Too small|Too big)/;
const KINDS: Readonly<Record<string, string>> = { number: 'a number, such as 30', int: 'a whole number, such as 30', string: 'a text', boolean: 'true or false', object: 'an object', array: 'a list', record: 'an object' };

/** A fault of a setting, for whoever writes settings and not code. */
export function faultInWords(issue: z.core.$ZodIssue): string {
  if (!ZODS_OWN.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return issue.message.endsWith('received undefined') ? 'is missing' : `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be ${issue.values.map(String).join(' or ')}`;
    case 'too_small':
      return issue.origin === 'string' ? 'must not be empty' : issue.origin === 'array' ? `must have at least ${issue.minimum}` : `must be at least ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'array' ? `must have at most ${issue.maximum}` : `must be at most ${issue.maximum}`;
    default:
      return issue.message;
  }
}

/**
 * What is wrong with addresses that people see, outside development: plain http lets anybody read a one-time link, and
 * whatever listens on a visitor's own localhost would be sent to him (SECURITY.md 26).
 */
export function publicAddressFaults(named: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(named).flatMap(([name, address]) => {
    const { protocol, hostname } = new URL(address);
    if (protocol !== 'https:') return [`${name}: must be https in production`];
    return LOOPBACK.test(hostname) ? [`${name}: must not be localhost in production`] : [];
  });
}

const LOOPBACK = /^(localhost|.*\.localhost|127\..*|\[::1\])$/;

export const text = z.string().min(1);

export const secretText: z.ZodType<Secret, string> = z
  .string()
  .refine((value) => !value.startsWith('${'), 'is an unreplaced placeholder')
  .transform(secret);

/** 32 bytes in base64, for example from `openssl rand -base64 32`. */
export const secretKey: z.ZodType<Secret, string> = z
  .string()
  .refine((value) => Buffer.from(value, 'base64').length === 32, 'must be 32 bytes in base64 (openssl rand -base64 32)')
  .transform(secret);

/** A P-256 private key in PEM, as `openssl ecparam -name prime256v1 -genkey -noout` writes it; `\\n` may stand for line ends. */
export const signingKey: z.ZodType<Secret, string> = z
  .string()
  .transform((value) => value.replaceAll('\\n', '\n'))
  .refine(isP256, 'must be a P-256 private key in PEM (openssl ecparam -name prime256v1 -genkey -noout)')
  .transform(secret);

function isP256(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyDetails?.namedCurve === 'prime256v1';
  } catch {
    return false;
  }
}

/** An http(s) origin or base address, kept without a trailing slash. */
export const baseUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https address' })
  .transform((value) => value.replace(/\/+$/, ''));

export const port = z.coerce.number().int().min(0).max(65_535);
export const count = z.coerce.number().int().min(0);
export const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
export const list = z.string().transform((value) => value.split(',').map((item) => item.trim()).filter(Boolean));
export const mode = z.enum(['production', 'development']).default('production');
