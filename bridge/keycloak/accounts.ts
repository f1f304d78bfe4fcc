import KeycloakAdminClient from '@keycloak/keycloak-admin-client';
import type { Secret } from '../../platform/secret.ts';
import { STAMP_ATTRIBUTE } from './stamp.ts';

/** The top-level group of stamped users: the jar puts people into it, the bridge into one below it, named after the product. */
export const TRIALS_GROUP = 'vestibule-trials';
const TIME_LIMIT_MILLISECONDS = 10_000;
const RENEW_BEFORE_SECONDS = 30;
const PAGE_SIZE = 500;
const CHECK_MILLISECONDS = 5_000;
const MOST_GROUPS = 1_000;

export interface Account {
  id: string;
  username: string;
  emailVerified: boolean;
  /** The entries of the attribute {@link STAMP_ATTRIBUTE}. */
  stamps: readonly string[];
}

/** What the bridge reads of Keycloak's users. */
export interface Accounts {
  /** By exact user name, else by exact e-mail address. */
  findByAddress(address: string): Promise<Account | undefined>;
  findById(userId: string): Promise<Account | undefined>;
  /** Resolves when the bridge can sign in and read users; asks Keycloak at most every few seconds. */
  check(): Promise<void>;
}

export interface KeycloakAccess {
  internalUrl: string;
  realm: string;
  clientId: string;
  clientSecret: Secret;
}

export function keycloakAccounts(admin: KeycloakAdminClient): Accounts {
  let checked: { at: number; result: Promise<void> } | undefined;
  return {
    findById: async (id) => {
      const user = await admin.users.findOne({ id }, { catchNotFound: true });
      return user?.id === undefined ? undefined : toAccount(user);
    },
    findByAddress: async (address) => {
      const [byName] = await admin.users.find({ username: address, exact: true });
      if (byName !== undefined) return toAccount(byName);
      const [byEmail] = await admin.users.find({ email: address, exact: true });
      return byEmail === undefined ? undefined : toAccount(byEmail);
    },
    check: () => {
      if (checked === undefined || Date.now() - checked.at > CHECK_MILLISECONDS) checked = { at: Date.now(), result: readAnything(admin) };
      return checked.result;
    },
  };
}

/** By a name that nobody has, so that the answer stays small. */
async function readAnything(admin: KeycloakAdminClient): Promise<void> {
  await admin.users.find({ username: '-', exact: true, max: 1 });
}

/** Everybody in a top-level group and in those below it, with their stamps. */
export async function listGroupMembers(admin: KeycloakAdminClient, name: string): Promise<readonly Account[]> {
  const groups = await admin.groups.find({ search: name, exact: true });
  const group = groups.find((one) => one.name === name);
  if (group?.id === undefined) throw new Error(`Keycloak has no group ${name}, or the bridge may not see it.`);
  const below = await admin.groups.listSubGroups({ parentId: group.id, max: MOST_GROUPS });
  const members = await Promise.all([group, ...below].map((one) => membersOf(admin, one.id ?? '')));
  return [...new Map(members.flat().map((member) => [member.id, member])).values()];
}

async function membersOf(admin: KeycloakAdminClient, id: string): Promise<readonly Account[]> {
  const members: Account[] = [];
  for (let page = await membersFrom(admin, id, 0); page.length > 0; page = await membersFrom(admin, id, members.length)) {
    members.push(...page);
  }
  return members;
}

async function membersFrom(admin: KeycloakAdminClient, id: string, first: number): Promise<readonly Account[]> {
  const users = await admin.groups.listMembers({ id, first, max: PAGE_SIZE, briefRepresentation: false });
  return users.map(toAccount);
}

/** The official client with a token of the bridge's service account, renewed before it ends. */
export function adminClient({ internalUrl, realm, clientId, clientSecret }: KeycloakAccess): KeycloakAdminClient {
  const signingIn = new KeycloakAdminClient({ baseUrl: internalUrl, realmName: realm, timeout: TIME_LIMIT_MILLISECONDS });
  let signedIn: Promise<{ token: string; until: number }> | undefined;
  const signIn = async () => {
    await signingIn.auth({ grantType: 'client_credentials', clientId, clientSecret: clientSecret.reveal() });
    const token = signingIn.accessToken ?? '';
    return { token, until: expiryOf(token) - RENEW_BEFORE_SECONDS * 1000 };
  };
  const admin = new KeycloakAdminClient({ baseUrl: internalUrl, realmName: realm, timeout: TIME_LIMIT_MILLISECONDS });
  admin.registerTokenProvider({
    getAccessToken: async () => {
      const current = await signedIn?.catch(() => undefined);
      if (current !== undefined && current.until > Date.now()) return current.token;
      signedIn = signIn();
      return (await signedIn).token;
    },
  });
  return admin;
}

function expiryOf(token: string): number {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp?: number };
  return (claims.exp ?? 0) * 1000;
}

function toAccount(user: { id?: string; username?: string; emailVerified?: boolean; attributes?: Record<string, unknown> }): Account {
  const stamps = user.attributes?.[STAMP_ATTRIBUTE];
  return {
    id: user.id ?? '',
    username: user.username ?? '',
    emailVerified: user.emailVerified === true,
    stamps: Array.isArray(stamps) ? stamps.map(String) : [],
  };
}
