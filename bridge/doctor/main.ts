import { parseArgs } from 'node:util';
import KeycloakAdminClient from '@keycloak/keycloak-admin-client';
import { movableClock, systemClock, type Clock } from '../../platform/clock.ts';
import { openDatabase } from '../../platform/database.ts';
import { loadConfig, type Config } from '../config.ts';
import type { Schema } from '../db/schema.ts';
import { adminClient, keycloakAccounts, listGroupMembers, TRIALS_GROUP } from '../keycloak/accounts.ts';
import { checkClocks } from './clock.ts';
import { findDisagreements } from './consistency.ts';
import type { Finding } from './finding.ts';
import { checkRealm } from './realm.ts';

const USAGE = 'Usage: npm run doctor -- consistency | realm | clock [--json]\n';

const COMMANDS: Readonly<Record<string, (config: Config) => Promise<{ passed: readonly string[]; findings: readonly Finding[] }>>> = { consistency, realm, clock: checkClocks };

try {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean', default: false } } });
  const command = COMMANDS[positionals[0] ?? ''];
  if (command === undefined) throw new Error(USAGE);
  const { passed, findings } = await command(loadConfig(process.env));
  if (values.json) console.log(JSON.stringify({ passed, findings }, null, 2));
  else print(passed, findings);
  process.exitCode = findings.length === 0 ? 0 : 1;
} catch (error) {
  console.error(`doctor: ${explain(error)}`);
  process.exitCode = 2;
}

function explain(error: unknown): string {
  if ((error as { response?: Response }).response?.status === 403) {
    return "Keycloak does not show this to the bridge's own account. Set DOCTOR_ADMIN_USERNAME and DOCTOR_ADMIN_PASSWORD to those of an admin.";
  }
  return error instanceof Error ? error.message : String(error);
}

function print(passed: readonly string[], findings: readonly Finding[]): void {
  for (const name of passed) console.log(`ok    ${name}`);
  for (const { check, subject, detail, advice } of findings) console.log(`FAIL  ${check}: ${subject} ${detail}\n      → ${advice}`);
  console.log(findings.length === 0 ? 'Nothing to do.' : `${findings.length} to look at.`);
}

async function consistency(config: Config) {
  const { db, close } = openDatabase<Schema>(config.databaseUrl.reveal(), { poolSize: 4, name: 'vestibule-doctor', onError: () => {} });
  try {
    const admin = adminClient({ ...config.keycloak, clientId: config.clientId, clientSecret: config.clientSecret });
    const { findById } = keycloakAccounts(admin);
    const users = { findById, listStamped: () => listGroupMembers(admin, TRIALS_GROUP) };
    const findings = await findDisagreements(db, users, await clockOf(config), { movedClock: config.movableClock });
    return { passed: findings.length === 0 ? ['consistency'] : [], findings };
  } finally {
    await close();
  }
}

/** The bridge's own domain clock, where it can be moved. */
async function clockOf(config: Config): Promise<Clock> {
  if (!config.movableClock) return systemClock;
  const clock = movableClock();
  const answer = await fetch(`http://${config.address.host}:${config.address.port}/dev/clock`).catch(() => undefined);
  if (answer?.ok) clock.setOffset(((await answer.json()) as { offset_seconds: number }).offset_seconds);
  return clock;
}

/** What the bridge's own account may not see, an admin shows. */
async function realm(config: Config) {
  const { internalUrl, realm: realmName } = config.keycloak;
  const { DOCTOR_ADMIN_USERNAME: username, DOCTOR_ADMIN_PASSWORD: password } = process.env;
  const admin =
    username === undefined || password === undefined
      ? adminClient({ ...config.keycloak, clientId: config.clientId, clientSecret: config.clientSecret })
      : await masterAdmin(internalUrl, username, password);
  admin.setConfig({ realmName });
  const [found, clients] = await Promise.all([admin.realms.findOne({ realm: realmName }), admin.clients.find({ max: 10_000 })]);
  if (found === undefined) throw new Error(`Realm ${realmName} does not exist.`);
  return checkRealm({ admin, realm: found, clients, bridgeClientId: config.clientId });
}

async function masterAdmin(baseUrl: string, username: string, password: string): Promise<KeycloakAdminClient> {
  const admin = new KeycloakAdminClient({ baseUrl, realmName: 'master' });
  await admin.auth({ grantType: 'password', clientId: 'admin-cli', username, password });
  return admin;
}
