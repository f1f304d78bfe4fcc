import { randomUUID } from 'node:crypto';
import { keycloakAdmin } from '../../test/support/keycloak-admin.ts';
import { createPerson, freshAddress } from '../../test/support/person.ts';
import { inbox, stack } from '../../test/support/stack.ts';

const POOL = 60;
const DAY = 86_400;

/** Addresses, one at a time. */
export interface People {
  /** Nobody's. */
  fresh(): string;
  /** Invited, and without an account. */
  invited(): string;
  /** With an account. */
  existing(): string;
  /** With an account that has a trial: Keycloak asks the bridge about it while it hashes the password. */
  onTrial(): string;
  /** With an account that is locked for too many wrong passwords. */
  locked(): string;
}

/** Pools, so that no account is asked twice within the second that brute-force detection looks at. */
export async function makePeople(): Promise<People> {
  const accounts = await inTurn(() => createPerson([], 0));
  const onTrial = await inTurn(() => createPerson(['vestibule-proxy'], DAY));
  const invited = await inTurn(invite);
  const locked = await inTurn(lock);
  for (const address of invited) await inbox.waitForMail(address);
  return {
    fresh: () => `nobody-${randomUUID().slice(0, 8)}@example.com`,
    invited: rotating(invited),
    existing: rotating(accounts.map(({ username }) => username)),
    onTrial: rotating(onTrial.map(({ username }) => username)),
    locked: rotating(locked),
  };
}

async function invite(): Promise<string> {
  const username = freshAddress('invited');
  await fetch(`${stack().bridge}/api/trial/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username }),
  });
  return username;
}

async function lock(): Promise<string> {
  const { id, username } = await createPerson([], 0);
  const admin = keycloakAdmin();
  for (;;) {
    const [status] = await Promise.all([admin.get(`/attack-detection/brute-force/users/${id}`), wrongPassword(username)]);
    if (status.disabled) return username;
  }
}

async function wrongPassword(username: string): Promise<void> {
  const { keycloak, realm } = stack();
  const body = new URLSearchParams({ client_id: 'admin-cli', grant_type: 'password', username, password: 'a wrong pass phrase' });
  await fetch(`${keycloak}/realms/${realm}/protocol/openid-connect/token`, { method: 'POST', body });
}

async function inTurn<T>(make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < POOL) made.push(await make());
  return made;
}

function rotating(addresses: readonly string[]): () => string {
  let turn = 0;
  return () => addresses[(turn++) % addresses.length] ?? '';
}
