import { createHash, hkdfSync, randomUUID } from 'node:crypto';
import { EncryptJWT, errors, jwtDecrypt, type JWTPayload } from 'jose';
import type { Secret } from '../../platform/secret.ts';
import type { BillingPage, UriScheme } from '../db/remote-billing.schema.ts';

const ISSUER = 'vestibule-bridge';
const ACCESS_SECONDS = 2 * 60 * 60;
/** Zulip keeps it for 10 s; a slow network is no reason to begin again. */
const TRANSFER_SECONDS = 60;

/** Each has its own key, type and audience: none is good where another is asked for (SECURITY.md 15). */
const PURPOSES = ['access', 'proof', 'transfer'] as const;
type Purpose = (typeof PURPOSES)[number];

export interface AccessUser {
  uuid: string;
  email: string;
  fullName: string;
}

/** What an access token says: a server vouches for a person of a realm, or somebody knew a server's key. */
export interface Access {
  tokenId: string;
  serverId: string;
  /** The server's key that this came by. */
  keyGeneration: number;
  /** Undefined: for the whole server. */
  realm: { id: string; user: AccessUser } | undefined;
  authenticatedAt: Date;
  expiresAt: Date;
  uriScheme: UriScheme;
  nextPage: BillingPage | null;
  /** The login request whose link was opened: without it the token proves no address. */
  proof: string | undefined;
}

export type ReadAccess = { result: 'good' | 'expired'; access: Access } | { result: 'unknown' };

export interface AccessTokens {
  mint(access: Omit<Access, 'tokenId' | 'authenticatedAt' | 'expiresAt'>): Promise<string>;
  read(token: string): Promise<ReadAccess>;
  mintTransfer(hostname: string): Promise<string>;
  /** The hostname that a transfer secret was made for, unless it is over or none of ours. */
  readTransfer(secret: string): Promise<string | undefined>;
}

/** Real time: tokens are no part of what a moved clock may move (SECURITY.md 27). */
export function accessTokens(current: Secret, previous: Secret | undefined): AccessTokens {
  const rings = [current, ...(previous === undefined ? [] : [previous])].map((key) => keyRing(key));

  const mint = (purpose: Purpose, claims: JWTPayload, seconds: number) => {
    const now = Math.floor(Date.now() / 1000);
    return new EncryptJWT(claims)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ: typeOf(purpose), kid: rings[0]!.id })
      .setIssuer(ISSUER)
      .setAudience(audienceOf(purpose))
      .setIssuedAt(now)
      .setExpirationTime(now + seconds)
      .setJti(randomUUID())
      .encrypt(rings[0]!.keys[purpose]);
  };

  const read = async (purpose: Purpose, token: string): Promise<{ result: 'good' | 'expired'; claims: JWTPayload } | undefined> => {
    try {
      const { payload } = await jwtDecrypt(token, ({ kid }) => rings.find(({ id }) => id === kid)?.keys[purpose] ?? rings[0]!.keys[purpose], {
        issuer: ISSUER,
        audience: audienceOf(purpose),
        typ: typeOf(purpose),
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
        requiredClaims: ['jti', 'iat', 'exp'],
      });
      return { result: 'good', claims: payload };
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { result: 'expired', claims: error.payload as JWTPayload };
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  };

  return {
    mint: (access) => mint(access.proof === undefined ? 'access' : 'proof', toClaims(access), ACCESS_SECONDS),
    read: async (token) => {
      const found = (await read('access', token)) ?? (await read('proof', token));
      return found === undefined ? { result: 'unknown' } : { result: found.result, access: toAccess(found.claims) };
    },
    mintTransfer: (hostname) => mint('transfer', { hostname }, TRANSFER_SECONDS),
    readTransfer: async (secret) => {
      const found = await read('transfer', secret);
      return found?.result === 'good' ? String(found.claims['hostname']) : undefined;
    },
  };
}

function keyRing(key: Secret): { id: string; keys: Readonly<Record<Purpose, Uint8Array>> } {
  const bytes = Buffer.from(key.reveal(), 'base64');
  const derive = (purpose: Purpose) => new Uint8Array(hkdfSync('sha256', bytes, '', `vestibule remote billing ${purpose}`, 32));
  return {
    id: createHash('sha256').update('vestibule remote billing key id').update(bytes).digest('base64url').slice(0, 8),
    keys: { access: derive('access'), proof: derive('proof'), transfer: derive('transfer') },
  };
}

function typeOf(purpose: Purpose): string {
  return `vestibule-billing-${purpose}+jwt`;
}

function audienceOf(purpose: Purpose): string {
  return `vestibule-remote-billing-${purpose}`;
}

/** Zulip's names where it has them. */
function toClaims(access: Omit<Access, 'tokenId' | 'authenticatedAt' | 'expiresAt'>): JWTPayload {
  return {
    remote_server_uuid: access.serverId,
    key_generation: access.keyGeneration,
    ...(access.realm === undefined
      ? {}
      : {
          remote_realm_uuid: access.realm.id,
          user: { user_uuid: access.realm.user.uuid, user_email: access.realm.user.email, user_full_name: access.realm.user.fullName },
        }),
    authenticated_at: Math.floor(Date.now() / 1000),
    uri_scheme: access.uriScheme,
    next_page: access.nextPage,
    ...(access.proof === undefined ? {} : { proof: access.proof }),
  };
}

interface Claims extends JWTPayload {
  remote_server_uuid: string;
  key_generation: number;
  remote_realm_uuid?: string;
  user?: { user_uuid: string; user_email: string; user_full_name: string };
  authenticated_at: number;
  uri_scheme: UriScheme;
  next_page: BillingPage | null;
  proof?: string;
}

function toAccess(payload: JWTPayload): Access {
  const claims = payload as Claims;
  const { user } = claims;
  return {
    tokenId: claims.jti!,
    serverId: claims.remote_server_uuid,
    keyGeneration: claims.key_generation,
    realm:
      claims.remote_realm_uuid === undefined || user === undefined
        ? undefined
        : { id: claims.remote_realm_uuid, user: { uuid: user.user_uuid, email: user.user_email, fullName: user.user_full_name } },
    authenticatedAt: new Date(claims.authenticated_at * 1000),
    expiresAt: new Date(claims.exp! * 1000),
    uriScheme: claims.uri_scheme,
    nextPage: claims.next_page,
    proof: claims.proof,
  };
}
