import { randomBytes } from 'node:crypto';
import { parseEnv } from 'node:util';

const KEY_BYTES = 32;
const KEYS = new Set(['SESSION_ENCRYPTION_KEY', 'ADDRESS_HASH_KEY']);
const SECRET = /_(PASSWORD|SECRET)$/;
/** Of what only some have. */
const OPTIONAL = new Set(['SMTP_PASSWORD', 'CAPTCHA_SECRET']);

/** .env.example as somebody fills it in: with the secrets that it asks for. */
export function filledIn(example: string): Record<string, string> {
  return Object.fromEntries(Object.entries(parseEnv(example)).map(([name, value]) => [name, value || secretFor(name)]));
}

function secretFor(name: string): string {
  if (KEYS.has(name)) return randomBytes(KEY_BYTES).toString('base64');
  return SECRET.test(name) && !OPTIONAL.has(name) ? randomBytes(KEY_BYTES).toString('hex') : '';
}
