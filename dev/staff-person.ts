import { REALM } from './environment.ts';

const EMAIL = 'staff@vestibule.example';

interface Account {
  username: string;
  password: string;
}

/** Somebody with the realm role `staff`, whose password is the stack's; as it was where it is there. */
export async function ensureStaffPerson(keycloak: string, admin: Account, password: string): Promise<Account> {
  const token = await fetch(`${keycloak}/realms/master/protocol/openid-connect/token`, { method: 'POST', body: new URLSearchParams({ client_id: 'admin-cli', grant_type: 'password', ...admin }) });
  const { access_token: bearer } = (await token.json()) as { access_token: string };
  const ask = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const answer = await fetch(`${keycloak}/admin/realms/${REALM}${path}`, { method, headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }, ...(body !== undefined && { body: JSON.stringify(body) }) });
    if (!answer.ok && answer.status !== 409) throw new Error(`Keycloak answered ${answer.status} to ${method} ${path}: ${await answer.text()}`);
    return answer;
  };
  await ask('POST', '/users', { username: EMAIL, email: EMAIL, emailVerified: true, enabled: true, firstName: 'Grace', lastName: 'Staff', credentials: [{ type: 'password', value: password }] });
  const [user] = (await (await ask('GET', `/users?${new URLSearchParams({ username: EMAIL, exact: 'true' }).toString()}`)).json()) as { id: string }[];
  if (!user) throw new Error(`Keycloak has no ${EMAIL}, and made none.`);
  await ask('POST', `/users/${user.id}/role-mappings/realm`, [await (await ask('GET', '/roles/staff')).json()]);
  return { username: EMAIL, password };
}
