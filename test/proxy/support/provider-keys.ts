import { exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose';

/** Set by the global setup of the tests: made once for the whole run, because three of them cost as much as all else about a stand. */
export const PROVIDER_KEYS = 'VESTIBULE_PROVIDER_KEYS';
const RS256 = { extractable: true, modulusLength: 2048 };

export interface SigningKey {
  privateKey: CryptoKey;
  jwk: JWK;
}

/** `own` signs, `other` has the same `kid`, `unknown` one that is not published. */
export type ProviderKeys = Record<'own' | 'other' | 'unknown', SigningKey>;

/** What {@link givenKeys} reads. */
export async function makeKeys(): Promise<string> {
  const pairs = await Promise.all([1, 2, 3].map(() => generateKeyPair('RS256', RS256)));
  return JSON.stringify(await Promise.all(pairs.map(({ privateKey }) => exportJWK(privateKey))));
}

/** The same for every provider of the run: whom a token is from and meant for has to be looked at. */
export async function givenKeys(): Promise<ProviderKeys> {
  const [own, other, unknown] = JSON.parse(process.env[PROVIDER_KEYS] ?? (await makeKeys())) as [JWK, JWK, JWK];
  return { own: await read(own, 'test'), other: await read(other, 'test'), unknown: await read(unknown, 'of-nobody') };
}

export async function newKey(kid: string): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair('RS256', RS256);
  return read(await exportJWK(privateKey), kid);
}

async function read(made: JWK, kid: string): Promise<SigningKey> {
  const { kty = '', n = '', e = '' } = made;
  return { privateKey: (await importJWK(made, 'RS256')) as CryptoKey, jwk: { kty, n, e, kid, alg: 'RS256', use: 'sig' } };
}
