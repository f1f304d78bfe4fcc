import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import type { Secret } from '../platform/secret.ts';

const INITIALISATION_VECTOR_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_LENGTH = 8;

/** What a sealed text is for; one made for one purpose does not open for another. */
export type Purpose = 'session' | 'login' | 'other-person' | 'notice' | 'billing-session' | 'billing-form' | 'staff-form' | 'staff-search';

export interface Seal {
  seal(purpose: Purpose, value: unknown): string;
  /** `undefined` for anything that these keys did not seal for this purpose. */
  open<T>(purpose: Purpose, sealed: string): T | undefined;
  /** The same for the same text, and tells it to nobody; another with another first key. */
  mark(purpose: 'client', text: string): Buffer;
}

/** AES-256-GCM over JSON as `<key id>.<base64url>`; the first key seals, all of them open. */
export function createSeal(keys: readonly [Secret, ...Secret[]]): Seal {
  const ring = keys.map((key) => {
    const bytes = Buffer.from(key.reveal(), 'base64');
    return { id: createHash('sha256').update(bytes).digest('hex').slice(0, KEY_ID_LENGTH), bytes };
  });
  const [current] = ring as [(typeof ring)[0]];
  return {
    seal: (purpose, value) => {
      const vector = randomBytes(INITIALISATION_VECTOR_BYTES);
      const cipher = createCipheriv('aes-256-gcm', current.bytes, vector).setAAD(Buffer.from(purpose));
      const body = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
      return `${current.id}.${Buffer.concat([vector, body, cipher.getAuthTag()]).toString('base64url')}`;
    },
    open: <T>(purpose: Purpose, sealed: string) => {
      const [id, text = ''] = sealed.split('.', 2);
      const key = ring.find((one) => one.id === id);
      const bytes = Buffer.from(text, 'base64url');
      if (!key || bytes.length < INITIALISATION_VECTOR_BYTES + TAG_BYTES) return undefined;
      try {
        const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, INITIALISATION_VECTOR_BYTES), { authTagLength: TAG_BYTES })
          .setAAD(Buffer.from(purpose))
          .setAuthTag(bytes.subarray(-TAG_BYTES));
        const plain = Buffer.concat([decipher.update(bytes.subarray(INITIALISATION_VECTOR_BYTES, -TAG_BYTES)), decipher.final()]);
        return JSON.parse(plain.toString('utf8')) as T;
      } catch {
        return undefined;
      }
    },
    mark: (purpose, text) => createHmac('sha256', current.bytes).update(`${purpose}\0${text}`).digest(),
  };
}
