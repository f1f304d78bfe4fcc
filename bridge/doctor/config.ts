import { z } from 'zod';
import { baseUrl, count, flag, list, readConfig, secretText, text } from '../../platform/config.ts';
import { loadConfig } from '../config.ts';

const FIELDS = {
  DOCTOR_ADMIN_USERNAME: text.optional(),
  DOCTOR_ADMIN_PASSWORD: secretText.optional(),
  DOCTOR_KNOWN_ADMINS: list.prefault(''),
  DOCTOR_KNOWN_PROGRAMS: list.prefault(''),
  KEYCLOAK_MANAGEMENT_URL: baseUrl.optional(),
  KC_DB_POOL_MAX_SIZE: count.optional(),
  STAFF_URL: baseUrl.optional(),
  INVITATION_BY_PAR: flag.default(true),
  INVITATION_ENDPOINT: z.enum(['auth', 'registrations']).default('auth'),
};

/** The bridge's configuration, and what the doctor alone asks for. The last ones are Keycloak's and the proxy's own variables. */
export function loadDoctorConfig(env: Readonly<Record<string, string | undefined>>) {
  const read = readConfig(FIELDS, env);
  const { DOCTOR_ADMIN_USERNAME: username, DOCTOR_ADMIN_PASSWORD: password } = read;
  return Object.freeze({
    ...loadConfig(env),
    /** Of the master realm. */
    admin: username === undefined || password === undefined ? undefined : { username, password },
    /** User names, client ids, paths of groups and names of permissions that may administer the realm. */
    knownAdmins: new Set(read.DOCTOR_KNOWN_ADMINS),
    /** `client=role` of programs that may call the bridge. */
    knownPrograms: new Set(read.DOCTOR_KNOWN_PROGRAMS),
    managementUrl: read.KEYCLOAK_MANAGEMENT_URL,
    databasePoolSize: read.KC_DB_POOL_MAX_SIZE,
    staffUrl: read.STAFF_URL,
    invitationByPar: read.INVITATION_BY_PAR,
    invitationEndpoint: read.INVITATION_ENDPOINT,
  });
}

export type DoctorConfig = ReturnType<typeof loadDoctorConfig>;
