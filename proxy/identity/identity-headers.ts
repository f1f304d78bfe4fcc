import { epochSeconds, type Clock } from '../../platform/clock.ts';
import type { Identity } from '../provider/provider.ts';

/** Which header carries which claim of the ID token. */
export type HeaderClaims = Readonly<Record<string, string>>;

export const USUAL_HEADERS: HeaderClaims = {
  'X-User': 'sub',
  'X-User-Email': 'email',
  'X-User-Name': 'name',
  'X-User-Roles': 'roles',
  'X-User-Groups': 'groups',
  'X-Trial-App': 'trial_app',
  'X-Trial-State': 'trial_state',
  'X-Trial-Ends-At': 'trial_ends_at',
};

export interface IdentityHeaders {
  /** Who it is, as name, value, name, value …: every header always, empty where there is nothing to say (SECURITY.md 21). */
  of(identity: Identity): string[];
  /** All of them, empty. */
  readonly nobody: readonly string[];
  /** Names, as {@link plainName} has them, that nobody but us may say. */
  readonly names: ReadonlySet<string>;
}

/** What every session holds; other claims are kept for those headers that ask for them. */
const KNOWN: Readonly<Record<string, (identity: Identity, clock: Pick<Clock, 'now'>) => string>> = {
  sub: ({ sub }) => inHeader(sub),
  email: ({ email }) => inHeader(email),
  name: ({ name }) => inHeader(name),
  roles: ({ roles }) => listed(roles),
  groups: ({ groups }) => listed(groups),
  trial_app: ({ trial }) => inHeader(trial?.app ?? ''),
  // What people were told is over, what is enforced is not.
  trial_state: ({ trial }, clock) => (trial?.endsAt ? (trial.endsAt <= clock.now() ? 'grace' : 'active') : ''),
  trial_ends_at: ({ trial }) => (trial?.endsAt ? String(epochSeconds(trial.endsAt)) : ''),
};

const PLAIN = /^[\x20-\x7e]*$/;

const NOBODY: Identity = { sub: '', sid: null, email: '', name: '', roles: [], groups: [], trial: null, claims: null };

export function identityHeaders(wanted: HeaderClaims, clock: Pick<Clock, 'now'>): IdentityHeaders {
  const readers = Object.entries(wanted).map(([name, claim]) => ({ name, read: KNOWN[claim] ?? (({ claims }: Identity) => listed(claims?.[claim] ?? [])) }));
  const of = (identity: Identity): string[] => {
    const headers: string[] = [];
    for (const { name, read } of readers) headers.push(name, read(identity, clock));
    return headers;
  };
  return { of, nobody: of(NOBODY), names: new Set(readers.map(({ name }) => plainName(name.toLowerCase()))) };
}

/** Claims that a session must keep besides what it always holds. */
export function claimsToKeep(wanted: HeaderClaims): readonly string[] {
  return [...new Set(Object.values(wanted))].filter((claim) => !(claim in KNOWN));
}

/** `X_User` and `X.User` become the same variable as `X-User` in CGI-like servers. */
export function plainName(lowerName: string): string {
  return lowerName.replace(/[^a-z0-9]/g, '-');
}

const lists = new WeakMap<readonly string[], string>();

/** A name with a comma would be two. Most people have the same few lists, and share them in memory. */
function listed(names: readonly string[]): string {
  if (names.length === 0) return '';
  let list = lists.get(names);
  if (list === undefined) {
    list = names.filter((name) => !name.includes(',')).map(inHeader).join(',');
    lists.set(names, list);
  }
  return list;
}

/** UTF-8 bytes, as other auth proxies send them; control characters never. */
function inHeader(value: string): string {
  if (PLAIN.test(value)) return value;
  // eslint-disable-next-line no-control-regex
  return Buffer.from(value.replace(/[\u0000-\u001f\u007f]/g, ' '), 'utf8').toString('latin1');
}
