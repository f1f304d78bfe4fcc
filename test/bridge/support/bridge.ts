import { randomBytes, randomUUID } from 'node:crypto';
import { sql, type Kysely } from 'kysely';
import { openInbox, type Inbox } from '../../../dev/inbox/inbox.ts';
import { startBridge, type Given } from '../../../bridge/bridge.ts';
import { loadConfig } from '../../../bridge/config.ts';
import type { Schema } from '../../../bridge/db/schema.ts';
import type { MakeAccount } from '../../../bridge/keycloak/account-maker.ts';
import type { Account, Accounts } from '../../../bridge/keycloak/accounts.ts';
import { insertInvitation, type NewInvitation } from '../../../bridge/trial/invitation.store.ts';
import { queueAll } from '../../../bridge/trial/first-looks.ts';
import { hurryJobs } from '../../../bridge/worker.ts';
import { loadEndpoints } from '../../../bridge/webhooks/endpoints.ts';
import type { Begun, Removal, TrialKeeper } from '../../../bridge/keycloak/trial-keeper.ts';
import type { Clock } from '../../../platform/clock.ts';
import { openDatabase } from '../../../platform/database.ts';
import { createLog } from '../../../platform/log.ts';
import { loadProducts, type Product, type Products } from '../../../platform/products.ts';
import { hashToken } from '../../../platform/token.ts';
import { freshDatabase } from '../../support/database.ts';
import { ISSUER_URL, openRealm, type Realm } from './realm.ts';

export const PROXY_URL = 'http://proxy.test';
export const CONTACT_URL = 'https://example.com/contact';
export const BILLING_URL = 'http://billing.test';
/** 2026-11-21 12:00 UTC, as in the contract files. */
export const NOW = 1_795_262_400;
const PATIENCE_MILLISECONDS = 40_000;

export interface TestClock extends Clock {
  set(epochSeconds: number): void;
  pass(seconds: number): void;
}

/** Accounts as Keycloak would list them. Only the answer matters to the bridge; the client itself is tested on the stack. */
export interface KnownAccounts extends Accounts {
  add(account: Partial<Account> & { username: string }): Account;
  remove(userId: string): void;
  /** Every look-up fails until told otherwise. */
  fail(failing: boolean): void;
  /** As createUser does: whole, or not at all. */
  make: MakeAccount;
}

/** Keycloak's stamps as the jar keeps them: the highest version of each person and product. */
export interface KeptTrials extends TrialKeeper {
  stampOf(userId: string, product?: string): { state: string; trial_ends_at: number | null; trial_access_until: number | null; version: number; trial_app: string; clients: readonly string[] } | undefined;
  rolesOf(userId: string): ReadonlySet<string>;
  /** On whose accounts trials began, in order. */
  begun: string[];
  /** What a beginning comes to from now on; a function runs once it is written, and may throw. */
  begins(how: Exclude<Begun, 'held' | 'newer'> | (() => void) | undefined): void;
  /** Whose sessions were ended, in order. */
  ended: string[];
  /** Who was removed, in order. */
  removed: string[];
  /** What a removal comes to from now on. */
  removesAs(removal: Removal): void;
  /** Every call fails until told otherwise. */
  fail(failing: boolean): void;
}

export interface TestBridge {
  keeper: KeptTrials;
  url: string;
  metricsPort: number | undefined;
  db: Kysely<Schema>;
  databaseUrl: string;
  clock: TestClock;
  accounts: KnownAccounts;
  inbox: Inbox;
  realm: Realm;
  /** Every log line so far. */
  log(): string;
  send(path: string, options?: { method?: string; body?: unknown; headers?: Record<string, string> }): Promise<Answer>;
  /** As one of Keycloak's steps. */
  asStep(path: string, body?: unknown): Promise<Answer>;
  asProxy(path: string, body?: unknown): Promise<Answer>;
  /** As the service account of a client with `trial-manage`. */
  asManager(path: string, body?: unknown, headers?: Record<string, string>, method?: string): Promise<Answer>;
  /** As the service account of a client with `trial-create`. */
  asProgram(path: string, body?: unknown, clientId?: string): Promise<Answer>;
  invite(invitation?: Partial<NewInvitation> & { token?: string }): Promise<string>;
  /** Waits until no job is due. */
  settled(): Promise<void>;
  /** Runs now what waits for later. */
  hurry(): Promise<void>;
  /** The bridge alone, for a look at what it left; close() is still to come. */
  stopBridge(): Promise<void>;
  /** `before`: once the bridge has stopped, while its database is there. */
  close(looking?: { before?: () => Promise<void> }): Promise<void>;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

export interface TestBridgeOptions extends Given {
  env?: Record<string, string>;
  product?: Partial<Product>;
  products?: Products;
  smtpUrl?: string;
  /** Asks the realm for accounts, as in production. */
  realAccounts?: boolean;
  /** Another replica of this one, on its database and with what is Keycloak to it. Closed before it. */
  replicaOf?: TestBridge;
}

export async function openBridge(options: TestBridgeOptions = {}): Promise<TestBridge> {
  const { replicaOf } = options;
  const [database, realm, inbox] = await Promise.all([
    replicaOf === undefined ? freshDatabase() : { bridgeUrl: replicaOf.databaseUrl, drop: async () => {} },
    openRealm(),
    openInbox({ host: '127.0.0.1', smtpPort: 0 }),
  ]);
  const { clock, accounts, keeper } = replicaOf ?? { clock: testClock(), accounts: knownAccounts(), keeper: keptTrials() };
  const lines: string[] = [];
  const config = loadConfig({
    VESTIBULE_MODE: 'development',
    LOG_LEVEL: 'debug',
    BRIDGE_PORT: '0',
    BRIDGE_DATABASE_URL: database.bridgeUrl,
    BRIDGE_CLIENT_SECRET: 'not used here',
    KEYCLOAK_PUBLIC_URL: ISSUER_URL,
    KEYCLOAK_INTERNAL_URL: realm.internalUrl,
    PROXY_PUBLIC_URL: PROXY_URL,
    SMTP_URL: options.smtpUrl ?? `smtp://127.0.0.1:${inbox.smtpPort}`,
    MAIL_FROM: 'Vestibule <hello@example.com>',
    CONTACT_URL,
    ADDRESS_HASH_KEY: randomBytes(32).toString('base64'),
    BILLING_TOKEN_KEY: randomBytes(32).toString('base64'),
    BILLING_URL,
    BILLING_CHALLENGE_LOOPBACK: 'true',
    ...options.env,
  });
  const [first] = loadProducts('products.yaml');
  const products = options.products ?? [{ ...first, ...options.product }];
  const log = createLog('bridge', config.logLevel, { write: (line) => void lines.push(line) });
  const bridge = await startBridge(config, { products, endpoints: loadEndpoints(options.env ?? {}, products, config) }, log, { clock, ...(options.realAccounts ? {} : { accounts, keeper, makeAccount: accounts.make }), ...options });
  const url = `http://127.0.0.1:${bridge.port}`;
  const { db, close: closeDatabase } = openDatabase<Schema>(database.bridgeUrl, { poolSize: 4, name: 'test', onError: () => {} });

  const send: TestBridge['send'] = async (path, { method = 'POST', body, headers = {} } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: response.headers.get('content-type')?.includes('json') ? (JSON.parse(text) as Record<string, unknown>) : {} };
  };
  const withToken = (token: string, path: string, body: unknown) =>
    send(path, { method: body === undefined ? 'GET' : 'POST', body, headers: { authorization: `Bearer ${token}` } });

  let stopped: Promise<void> | undefined;
  const stopBridge = () => (stopped ??= bridge.stop());
  const settled = () =>
    eventually(async () => {
      const { rows } = await sql`select 1 from graphile_worker.jobs where run_at <= now() or locked_at is not null limit 1`.execute(db);
      return rows.length === 0;
    });

  return {
    url,
    metricsPort: bridge.metricsPort,
    db,
    databaseUrl: database.bridgeUrl,
    clock,
    accounts,
    keeper,
    inbox,
    realm,
    log: () => lines.join(''),
    send,
    asStep: async (path, body) => withToken(await realm.stepToken(), path, body),
    asProgram: async (path, body, clientId = 'a-program') => withToken(await realm.serviceToken(clientId, 'trial-create'), path, body),
    asManager: async (path, body, headers = {}, method = body === undefined ? 'GET' : 'POST') =>
      send(path, { method, body, headers: { authorization: `Bearer ${await realm.serviceToken('a-manager', 'trial-manage')}`, ...headers } }),
    asProxy: async (path, body) => withToken(await realm.serviceToken('vestibule-proxy', 'trial-manage'), path, body),
    invite: async ({ token = randomBytes(32).toString('base64url'), ...given } = {}) => {
      const issuedAt = clock.now();
      await insertInvitation(db, {
        tokenHash: hashToken(token),
        product: 'app',
        address: 'ada@example.com',
        mailId: null,
        lifeId: null,
        accountId: null,
        firstName: 'Ada',
        lastName: 'Lovelace',
        locale: 'en',
        issuedAt,
        expiresAt: new Date(issuedAt.getTime() + 7 * 86_400_000),
        ...given,
      });
      return token;
    },
    settled,
    hurry: async () => {
      // At once: a first look that ran in between would have its second one hurried.
      await db.transaction().execute(async (trx) => {
        await queueAll(trx);
        await hurryJobs(trx);
      });
      await settled();
    },
    stopBridge,
    close: async ({ before } = {}) => {
      await stopBridge();
      await before?.();
      await closeDatabase();
      await Promise.all([inbox.close(), realm.close()]);
      await database.drop();
    },
  };
}

export async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const until = Date.now() + PATIENCE_MILLISECONDS;
  while (!(await condition())) {
    if (Date.now() > until) throw new Error('It did not happen in time.');
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

export function creationOf(token: string, given: Record<string, unknown> = {}) {
  return { token, username: 'ada@example.com', user_id: randomUUID(), attempt_id: randomUUID(), ...given };
}

function testClock(): TestClock {
  let seconds = NOW;
  return {
    now: () => new Date(seconds * 1000),
    toReal: (instant) => instant,
    set: (to) => {
      seconds = to;
    },
    pass: (more) => {
      seconds += more;
    },
  };
}

function knownAccounts(): KnownAccounts {
  const accounts = new Map<string, Account>();
  let failing = false;
  const answer = async (found: Account | undefined) => {
    if (failing) throw new Error('Keycloak does not answer');
    return found;
  };
  const add: KnownAccounts['add'] = (given) => {
    const account = { id: randomUUID(), emailVerified: true, stamps: [], ...given };
    accounts.set(account.id, account);
    return account;
  };
  return {
    add,
    make: async ({ address, stamp, password }) => {
      await answer(undefined);
      if ([...accounts.values()].some((one) => one.username === address)) return { result: 'exists' };
      if (password.reveal().length < 10) return { result: 'refused', field: 'password', detail: 'Invalid password: minimum length 10.' };
      add({ username: address, stamps: [stamp] });
      return { result: 'made' };
    },
    remove: (id) => void accounts.delete(id),
    fail: (now) => {
      failing = now;
    },
    check: async () => void (await answer(undefined)),
    findById: (id) => answer(accounts.get(id)),
    findByAddress: (address) => answer([...accounts.values()].find((one) => one.username === address)),
  };
}

function keptTrials(): KeptTrials {
  const stamps = new Map<string, ReturnType<KeptTrials['stampOf']> & object>();
  const roles = new Map<string, Set<string>>();
  let failing = false;
  let beginning: Parameters<KeptTrials['begins']>[0];
  const begun: string[] = [];
  const answer = async <Value>(value: () => Value): Promise<Value> => {
    if (failing) throw new Error('Keycloak does not answer');
    return value();
  };
  const rolesOf = (userId: string) => roles.get(userId) ?? new Set<string>();
  const ended: string[] = [];
  const removed: string[] = [];
  let removal: Removal = 'removed';
  return {
    begun,
    ended,
    removed,
    removesAs: (next) => {
      removal = next;
    },
    stampOf: (userId, product = 'app') => stamps.get(`${userId} ${product}`),
    rolesOf,
    fail: (now) => {
      failing = now;
    },
    begins: (how) => {
      beginning = how;
    },
    beginStamp: (userId, { product, entry, version, roles: { grant } }) =>
      answer(() => {
        if (typeof beginning === 'string') return beginning;
        const [held, wished] = [stamps.get(`${userId} ${product}`), JSON.parse(entry) as ReturnType<KeptTrials['stampOf']> & object];
        if (held !== undefined && held.trial_app !== wished.trial_app) return 'other_trial';
        if (held !== undefined && held.version >= version) return 'newer';
        stamps.set(`${userId} ${product}`, wished);
        roles.set(userId, new Set([...rolesOf(userId), ...grant]));
        begun.push(userId);
        beginning?.();
        return 'held';
      }),
    keepStamp: (userId, { product, entry, version, roles: { grant, revoke } }) =>
      answer(() => {
        const held = stamps.get(`${userId} ${product}`);
        // The first stamp is the creation's, which comes by another way.
        if (held === undefined && removed.includes(userId)) return removal === 'removed' ? 'unknown_user' : 'not_managed';
        if ((held?.version ?? 0) >= version) return 'newer';
        stamps.set(`${userId} ${product}`, JSON.parse(entry) as ReturnType<KeptTrials['stampOf']> & object);
        roles.set(userId, new Set([...rolesOf(userId), ...grant].filter((role) => !revoke.includes(role))));
        return 'held';
      }),
    endSessions: (userId) => answer(() => ended.push(userId)),
    remove: (userId, product) =>
      answer(() => {
        removed.push(userId);
        stamps.delete(`${userId} ${product}`);
        return removal;
      }),
  };
}
