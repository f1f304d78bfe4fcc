import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as oidc from 'openid-client';
import type { Secret } from '../../platform/secret.ts';

/** How the client proves itself to the provider: by its secret, or by a key whose public half the provider knows (private_key_jwt). */
export type ClientProof = { secret: Secret } | { key: ClientKey };

export interface ClientKey {
  privateKey: KeyObject;
  /** The `kid` under which the provider knows it; undefined where it knows one key only. */
  keyId: string | undefined;
}

const SHORTEST_RSA_BITS = 2048;
/** OpenSSL's names of curves; the algorithm follows from the curve (RFC 7518, 3.4). */
const CURVES: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };

export function clientAuthentication(proof: ClientProof): oidc.ClientAuth {
  if ('secret' in proof) return oidc.ClientSecretBasic(proof.secret.reveal());
  const { privateKey, keyId } = proof.key;
  return oidc.PrivateKeyJwt({ key: privateKey.toCryptoKey(algorithmOf(privateKey), false, ['sign']), ...(keyId !== undefined && { kid: keyId }) });
}

/** A file with one private key, in PEM or as a JWK (whose `kid` counts where no other is given). Throws what is wrong with it, in words. */
export function readClientKey(file: string, keyId: string | undefined): ClientKey {
  const text = contentOf(file);
  const { privateKey, kid } = parsed(text, file);
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = privateKey;
  const usable = type === 'rsa' ? (details?.modulusLength ?? 0) >= SHORTEST_RSA_BITS : type === 'ec' && (details?.namedCurve ?? '') in CURVES;
  if (!usable) throw new Error(`${file} must hold an RSA key of at least ${SHORTEST_RSA_BITS} bits, or an EC key on P-256, P-384 or P-521`);
  return { privateKey, keyId: keyId ?? kid };
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`${file} can’t be read (${(error as { code?: string }).code})`, { cause: error });
  }
}

function parsed(text: string, file: string): { privateKey: KeyObject; kid: string | undefined } {
  try {
    if (!text.trimStart().startsWith('{')) return { privateKey: createPrivateKey(text), kid: undefined };
    const jwk = JSON.parse(text) as JsonWebKey & { kid?: unknown };
    return { privateKey: createPrivateKey({ key: jwk, format: 'jwk' }), kid: typeof jwk.kid === 'string' ? jwk.kid : undefined };
  } catch {
    // The cause would quote the file.
    throw new Error(`${file} must hold one unencrypted private key, in PEM or as a JWK`);
  }
}

/** RS256 is what every provider takes (OpenID Connect Core 1.0, 15.1). */
function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): Parameters<KeyObject['toCryptoKey']>[0] {
  if (asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  return { name: 'ECDSA', namedCurve: CURVES[asymmetricKeyDetails?.namedCurve ?? ''] ?? '' };
}
