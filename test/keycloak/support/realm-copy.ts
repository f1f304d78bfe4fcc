import { readFileSync } from 'node:fs';
import { bridgeEnvironment } from '../../support/doctor.ts';
import { adminOfRealm, realmsAdmin, type KeycloakAdmin } from '../../support/keycloak-admin.ts';
import { withIdsOfItsOwn } from '../../support/realm-ids.ts';
import { stack } from '../../support/stack.ts';

export type Undo = () => Promise<unknown>;

/** The realm file with its variables filled in for the stack, under another name. */
export function realmFileAs(name: string): Record<string, unknown> {
  const env = bridgeEnvironment();
  const smtp = new URL(env['SMTP_URL'] ?? '');
  const values: Record<string, string | undefined> = {
    ...env,
    BRIDGE_INTERNAL_URL: stack().bridge,
    PROXY_INTERNAL_URL: stack().proxy,
    PROXY_CLIENT_SECRET: 'of-the-copy',
    SMTP_HOST: smtp.hostname,
    SMTP_PORT: smtp.port,
    MAIL_FROM: 'no-reply@vestibule.example',
    TRIAL_TIME_ZONE: 'UTC',
  };
  const text = readFileSync('realm-export.json', 'utf8').replaceAll(/\$\{([A-Z][A-Z0-9_]*)(?::([^}]*))?\}/g, (_, variable: string, fallback?: string) => {
    const value = values[variable] ?? fallback;
    if (value === undefined) throw new Error(`${variable} has no value for a copy of the realm`);
    return JSON.stringify(value).slice(1, -1);
  });
  return { ...(JSON.parse(withIdsOfItsOwn(text)) as Record<string, unknown>), realm: name };
}

export interface RealmCopy {
  name: string;
  admin: KeycloakAdmin;
  remove(): Promise<void>;
}

export async function copyRealm(name: string): Promise<RealmCopy> {
  const realms = realmsAdmin();
  await realms.delete(`/${name}`).catch(() => {});
  await realms.post('', realmFileAs(name));
  return { name, admin: adminOfRealm(name), remove: () => realms.delete(`/${name}`) };
}

/** What the doctor is given to look at that copy. */
export function doctorEnvironment(name: string, more: Readonly<Record<string, string | undefined>> = {}): Record<string, string | undefined> {
  const { admin } = stack();
  return { ...bridgeEnvironment(), KEYCLOAK_REALM: name, DOCTOR_ADMIN_USERNAME: admin.username, DOCTOR_ADMIN_PASSWORD: admin.password, ...more };
}
