import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { openDatabase } from '../../platform/database.ts';
import { createLog } from '../../platform/log.ts';
import { findProduct, loadProducts } from '../../platform/products.ts';
import { addressHash } from '../address/address-hash.ts';
import { clockOfBridge } from '../clock/clock-of-bridge.ts';
import { addJob, removeJob } from '../db/job.ts';
import type { Db, Schema } from '../db/schema.ts';
import { adminClient, keycloakAccounts } from '../keycloak/accounts.ts';
import { trialKeeper } from '../keycloak/trial-keeper.ts';
import { mailLinks } from '../mail/links.ts';
import { loadRehearsalConfig, type RehearsalConfig } from './config.ts';
import { insertMarkedLife, listMarkedLives } from './rehearsal.store.ts';
import { removeRehearsal, type Left, type RemoveUsing } from './remove.service.ts';
import { stepsOf } from './steps.ts';
import { newVisitor } from './visit.ts';
import { NotHeld, until, type Walk } from './walk.ts';

const USAGE = 'Usage: npm run rehearse -- [--product ID]   (docs/operating.md, "A rehearsal")';
/** Whatever becomes of this process, the bridge takes away then what it made. */
const REMOVED_AFTER_SECONDS = 900;
const REMOVAL_SECONDS = 30;

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort(new NotHeld('it was interrupted', 'Run the rehearsal again.')));

try {
  const { values } = parseArgs({ options: { product: { type: 'string' } } });
  process.exitCode = (await rehearse(loadRehearsalConfig(process.env), values.product)) ? 0 : 1;
} catch (error) {
  console.error(`rehearse: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}

/** Whether every step held, and nothing is left of it. */
async function rehearse(config: RehearsalConfig, productId: string | undefined): Promise<boolean> {
  const products = loadProducts(config.productsFile);
  const product = findProduct(products, productId);
  if (product === undefined) throw new Error(`There is no product ${productId}: the products file has ${products.map(({ id }) => id).join(', ')}.\n${USAGE}`);
  const unlock = await lock(config);
  const { db, close } = openDatabase<Schema>(config.databaseUrl.reveal(), { poolSize: 4, name: 'vestibule-rehearsal', onError: () => {} });
  try {
    const admin = adminClient({ ...config.keycloak, clientId: config.clientId, clientSecret: config.clientSecret });
    const log = createLog('rehearsal', 'silent');
    const keeper = trialKeeper(config.keycloak, () => admin.getAccessToken().then((token) => token ?? ''));
    const using = { products, clock: await clockOfBridge(config), hash: addressHash(config.addressHashKey), keeper, accounts: keycloakAccounts(admin), log };
    await removeLeftOvers(db, using);
    const address = config.mailbox.replace(/(\+[^@]*)?@/, `+rehearsal-${randomBytes(4).toString('hex')}@`);
    const lifeId = await begin(db, { product: product.id, address, locale: 'en', beganAt: using.clock.now() });
    console.log(`A trial of ${product.id} for ${address}:`);
    const held = await walkThrough({ ...using, db, config, product, links: mailLinks(config), lifeId, address, visitor: newVisitor(), stopping: stopping.signal });
    const left = await remove(db, using, lifeId);
    if (left === undefined) await removeJob(db, endKey(lifeId));
    console.log(left === undefined ? 'What it made is removed.' : `FAIL  What it made is not all removed: ${left}.\n      → The bridge removes the rest within a quarter of an hour, and so does the next rehearsal.`);
    return held && left === undefined;
  } finally {
    await close();
    await unlock();
  }
}

async function walkThrough(walk: Walk): Promise<boolean> {
  const started = performance.now();
  for (const { says, take } of stepsOf(walk.product)) {
    const from = performance.now();
    try {
      stopping.signal.throwIfAborted();
      await take(walk);
    } catch (error) {
      const { message, advice = 'Run the rehearsal again; if it comes again, look into the logs of bridge, proxy and Keycloak.' } = error as { message: string; advice?: string };
      console.log(`FAIL ${secondsSince(from)}  ${says}: this did not hold: ${message}\n      → ${advice}`);
      return false;
    }
    console.log(`ok   ${secondsSince(from)}  ${says}`);
  }
  console.log(`A whole life in${secondsSince(started)}.`);
  return true;
}

function secondsSince(from: number): string {
  return `${((performance.now() - from) / 1000).toFixed(1).padStart(5)} s`;
}

/** The marked trial, and the bridge's promise to take it away, in one transaction. */
async function begin(db: Db, life: Parameters<typeof insertMarkedLife>[1]): Promise<string> {
  return db.transaction().execute(async (trx) => {
    const lifeId = await insertMarkedLife(trx, life);
    await addJob(trx, 'end_rehearsal', { life_id: lifeId }, { key: endKey(lifeId), inSeconds: REMOVED_AFTER_SECONDS });
    return lifeId;
  });
}

function endKey(lifeId: string): string {
  return `rehearsal:${lifeId}`;
}

async function removeLeftOvers(db: Db, using: RemoveUsing): Promise<void> {
  for (const lifeId of await listMarkedLives(db)) {
    const left = await removeRehearsal(db, using, lifeId);
    console.log(left === undefined ? 'What a rehearsal before left behind is removed.' : `What a rehearsal before left behind stays for now: ${left}.`);
  }
}

/** Also where somebody wants it to end: nothing must be left. */
async function remove(db: Db, using: RemoveUsing, lifeId: string): Promise<Left> {
  let left: Left;
  try {
    await until({ stopping: new AbortController().signal }, REMOVAL_SECONDS, async () => ((left = await removeRehearsal(db, using, lifeId)) === undefined || left.includes('ten minutes') ? true : undefined), () => new NotHeld('', ''));
  } catch (error) {
    if (!(error instanceof NotHeld)) left = error instanceof Error ? error.message : String(error);
  }
  return left;
}

/** One at a time: the next one would take this one's trial away. */
async function lock({ databaseUrl }: RehearsalConfig): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: databaseUrl.reveal(), application_name: 'vestibule-rehearsal' });
  await client.connect();
  const { rows } = await client.query<{ locked: boolean }>("select pg_try_advisory_lock(hashtext('vestibule rehearsal')) as locked");
  if (rows[0]?.locked === true) return () => client.end();
  await client.end();
  throw new Error('Another rehearsal is under way: wait for its end.');
}
