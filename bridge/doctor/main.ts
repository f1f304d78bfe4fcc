import { parseArgs } from 'node:util';
import { openDatabase } from '../../platform/database.ts';
import type { Schema } from '../db/schema.ts';
import { clockOfBridge } from '../clock/clock-of-bridge.ts';
import { adminClient, keycloakAccounts, listGroupMembers, TRIALS_GROUP } from '../keycloak/accounts.ts';
import { NotAllowed } from './admin-reader.ts';
import { runChecks, together, type Check, type Diagnosis } from './check.ts';
import { checkClocks } from './clock.ts';
import { loadDoctorConfig, type DoctorConfig } from './config.ts';
import { findDisagreements } from './consistency.ts';
import type { Finding } from './finding.ts';
import { REALM_CHECKS } from './realm.ts';
import { loadProducts } from '../../platform/products.ts';
import { loadEndpoints } from '../webhooks/endpoints.ts';
import { openView } from './view.ts';
import { checkWebhooks } from './webhooks.ts';

const ALONE: Readonly<Record<string, (config: DoctorConfig) => Promise<Diagnosis>>> = {
  consistency,
  webhooks,
  clock: async (config) => ({ ...(await checkClocks(config)), skipped: [] }),
  realm: (config) => realm(config, REALM_CHECKS),
};
const USAGE = `Usage: npm run doctor -- [${Object.keys(ALONE).join(' | ')} | <check>] [--json]; without a name, everything. Checks of the realm:\n  ${REALM_CHECKS.map(({ name }) => name).join(', ')}`;

try {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean', default: false } } });
  const diagnosis = await chosen(positionals)(loadDoctorConfig(process.env));
  if (values.json) console.log(JSON.stringify(diagnosis, null, 2));
  else print(diagnosis);
  process.exitCode = diagnosis.findings.length === 0 ? 0 : 1;
} catch (error) {
  console.error(`doctor: ${explain(error)}`);
  process.exitCode = 2;
}

function chosen([name, ...more]: readonly string[]): (config: DoctorConfig) => Promise<Diagnosis> {
  if (more.length > 0) throw new Error(USAGE);
  if (name === undefined) return everything;
  const alone = ALONE[name];
  if (alone !== undefined) return alone;
  const checks = REALM_CHECKS.filter((check) => check.name === name);
  if (checks.length === 0) throw new Error(USAGE);
  return (config) => realm(config, checks);
}

/** What can't be looked at at all does not keep the rest from being told. */
async function everything(config: DoctorConfig): Promise<Diagnosis> {
  const all: Diagnosis[] = [];
  for (const [name, run] of Object.entries(ALONE)) {
    all.push(await run(config).catch((error: unknown): Diagnosis => ({ passed: [], skipped: [], findings: [notDone(name, error)] })));
  }
  return together(all);
}

function notDone(name: string, error: unknown): Finding {
  return { check: name, subject: 'the doctor', detail: `could not look: ${explain(error)}`, advice: 'Mend that, and run the doctor again.' };
}

function explain(error: unknown): string {
  if (error instanceof NotAllowed || (error as { response?: Response }).response?.status === 403) {
    return "Keycloak does not show this to the bridge's own account. Set DOCTOR_ADMIN_USERNAME and DOCTOR_ADMIN_PASSWORD to those of an admin.";
  }
  return error instanceof Error ? error.message : String(error);
}

function print({ passed, findings, skipped }: Diagnosis): void {
  for (const name of passed) console.log(`ok    ${name}`);
  for (const { check, why } of skipped) console.log(`--    ${check}: not looked at\n      → ${why}`);
  for (const { check, subject, detail, advice } of findings) console.log(`FAIL  ${check}: ${subject}: ${detail}\n      → ${advice}`);
  console.log(findings.length === 0 ? 'Nothing to do.' : `${findings.length} to look at.`);
}

async function consistency(config: DoctorConfig): Promise<Diagnosis> {
  const { db, close } = openDatabase<Schema>(config.databaseUrl.reveal(), { poolSize: 4, name: 'vestibule-doctor', onError: () => {} });
  try {
    const admin = adminClient({ ...config.keycloak, clientId: config.clientId, clientSecret: config.clientSecret });
    const { findById } = keycloakAccounts(admin);
    const users = { findById, listStamped: () => listGroupMembers(admin, TRIALS_GROUP) };
    const findings = await findDisagreements(db, users, await clockOfBridge(config), { movedClock: config.movableClock });
    return { passed: findings.length === 0 ? ['consistency'] : [], findings, skipped: [] };
  } finally {
    await close();
  }
}

async function webhooks(config: DoctorConfig): Promise<Diagnosis> {
  const { db, close } = openDatabase<Schema>(config.databaseUrl.reveal(), { poolSize: 1, name: 'vestibule-doctor', onError: () => {} });
  try {
    return await checkWebhooks(db, loadEndpoints(process.env, loadProducts(config.productsFile), config), config);
  } finally {
    await close();
  }
}

async function realm(config: DoctorConfig, checks: readonly Check[]): Promise<Diagnosis> {
  return runChecks(checks, await openView(config));
}
