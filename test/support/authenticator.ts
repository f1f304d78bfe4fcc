import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { Visit } from '../../platform/http-browser.ts';

/** What an authenticator does otherwise than it should. */
export interface Wrong {
  origin?: string;
  rpId?: string;
  challenge?: string;
  /** False: it did not ask who is there. */
  verified?: boolean;
}

/** A passkey on a device of software (WebAuthn level 2: "none" attestation, ES256), for pages that a browser without scripts opened. */
export interface Authenticator {
  /** What the page that asks for a new passkey posts. */
  make(page: Visit, wrong?: Wrong): Record<string, string>;
  /** What the login page posts. */
  prove(page: Visit): Record<string, string>;
  /** As Keycloak stores it, for accounts that an admin makes. */
  credentialFor(userId: string): { type: string; credentialData: string; secretData: string };
}

const UP = 0x01;
const UV = 0x04;
const AT = 0x40;

export function authenticator(): Authenticator {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const credentialId = randomBytes(32);
  // COSE_Key of RFC 9053: EC2, ES256, P-256.
  const coseKey = cborMap([[cborInt(1), cborInt(2)], [cborInt(3), cborInt(-7)], [cborInt(-1), cborInt(1)], [cborInt(-2), cborBytes(Buffer.from(x, 'base64url'))], [cborInt(-3), cborBytes(Buffer.from(y, 'base64url'))]]);
  let userHandle = '';

  return {
    make: (page, { origin = new URL(page.url).origin, rpId = given(page, 'data-rp-id'), challenge = given(page, 'data-challenge'), verified = true } = {}) => {
      userHandle = given(page, 'data-user-id');
      const length = Buffer.from([0, credentialId.length]);
      const data = authenticatorData(rpId, UP | AT | (verified ? UV : 0), Buffer.concat([Buffer.alloc(16), length, credentialId, coseKey]));
      return {
        clientDataJSON: clientData('webauthn.create', challenge, origin).toString('base64url'),
        attestationObject: cborMap([[cborText('fmt'), cborText('none')], [cborText('attStmt'), cborMap([])], [cborText('authData'), cborBytes(data)]]).toString('base64url'),
        publicKeyCredentialId: credentialId.toString('base64url'),
        transports: 'internal',
        authenticatorAttachment: 'platform',
      };
    },
    prove: (page) => {
      const client = clientData('webauthn.get', found(page, /\bchallenge\s*:\s*["']([\w-]+)["']/), new URL(page.url).origin);
      const data = authenticatorData(found(page, /\brpId\s*:\s*["']([^"']+)["']/), UP | UV);
      return {
        credentialId: credentialId.toString('base64url'),
        clientDataJSON: client.toString('base64url'),
        authenticatorData: data.toString('base64url'),
        signature: sign('sha256', Buffer.concat([data, sha256(client)]), privateKey).toString('base64url'),
        userHandle,
      };
    },
    credentialFor: (userId) => {
      userHandle = Buffer.from(userId).toString('base64url');
      const data = { aaguid: '00000000-0000-0000-0000-000000000000', credentialId: credentialId.toString('base64'), counter: 0, credentialPublicKey: coseKey.toString('base64url'), attestationStatementFormat: 'none', transports: ['internal'] };
      return { type: 'webauthn-passwordless', credentialData: JSON.stringify(data), secretData: '{}' };
    },
  };
}

const clientData = (type: string, challenge: string, origin: string): Buffer => Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
const authenticatorData = (rpId: string, flags: number, attested: Buffer = Buffer.alloc(0)): Buffer => Buffer.concat([sha256(rpId), Buffer.from([flags]), Buffer.alloc(4), attested]);

function given(page: Visit, attribute: string): string {
  return found(page, new RegExp(`${attribute}="([^"]*)"`));
}

function found(page: Visit, pattern: RegExp): string {
  const value = pattern.exec(page.body)?.[1];
  if (value === undefined) throw new Error(`There is no ${pattern} at ${page.url.split('?')[0]}:\n${page.body.slice(0, 3000)}`);
  return value;
}

const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest();

/** RFC 8949, as little of it as is needed. */
function cborHead(major: number, value: number): Buffer {
  if (value < 24) return Buffer.from([(major << 5) | value]);
  return value < 256 ? Buffer.from([(major << 5) | 24, value]) : Buffer.from([(major << 5) | 25, value >> 8, value & 255]);
}
const cborInt = (value: number): Buffer => (value >= 0 ? cborHead(0, value) : cborHead(1, -1 - value));
const cborBytes = (value: Buffer): Buffer => Buffer.concat([cborHead(2, value.length), value]);
const cborText = (value: string): Buffer => Buffer.concat([cborHead(3, Buffer.byteLength(value)), Buffer.from(value)]);
const cborMap = (entries: readonly (readonly [Buffer, Buffer])[]): Buffer => Buffer.concat([cborHead(5, entries.length), ...entries.flat()]);
