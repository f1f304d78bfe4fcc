import { randomUUID } from 'node:crypto';
import { keycloakAdmin } from './keycloak-admin.ts';

export interface Person {
  id: string;
  username: string;
  password: string;
}

const PASSWORD = 'a long pass phrase';

/** An account made by an admin, stamped with a trial for these clients that is enforced `secondsFromNow`. */
export async function createPerson(clients: readonly string[], secondsFromNow: number): Promise<Person> {
  const username = freshAddress('person');
  const id = await keycloakAdmin().create('/users', {
    username,
    email: username,
    emailVerified: true,
    enabled: true,
    credentials: [{ type: 'password', value: PASSWORD }],
    ...(clients.length === 0 ? {} : { attributes: { trial_stamp: [stamp(clients, secondsFromNow)] } }),
  });
  return { id, username, password: PASSWORD };
}

export async function setStamp(person: Person, clients: readonly string[], secondsFromNow: number): Promise<void> {
  const admin = keycloakAdmin();
  const user = await admin.get(`/users/${person.id}`);
  await admin.put(`/users/${person.id}`, { ...user, attributes: { ...user.attributes, trial_stamp: [stamp(clients, secondsFromNow)] } });
}

function stamp(clients: readonly string[], secondsFromNow: number): string {
  const until = Math.floor(Date.now() / 1000) + secondsFromNow;
  return JSON.stringify({ product: 'app', state: 'active', trial_ends_at: until, trial_access_until: until, trial_app: randomUUID(), clients });
}

/** An address that no other test uses. */
export function freshAddress(name: string): string {
  return `${name}-${randomUUID().slice(0, 8)}@example.com`;
}
