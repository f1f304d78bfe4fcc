import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseEnv } from 'node:util';
import { dropDatabase, ensureDatabase, withClient } from '../../dev/postgres.ts';
import { processRecord } from '../../dev/processes.ts';
import { stack } from '../../test/support/stack.ts';
import { STACK_VARIABLE } from '../../test/support/stack-variable.ts';
import { loadGenerator, type Call } from '../load/load.ts';
import { printRows, type Row } from '../report.ts';
import { startService, type Service } from '../stand.ts';
import { distribution, median } from '../statistics.ts';
import { openSink } from './sink.ts';

const DATABASE = 'bench_register';
const ROUNDS = 7;
const ROUND_SECONDS = 3;
const CONNECTIONS = 16;
const CALLS = 5_000;
const MAILS = 10_000;
const LOOK_EVERY_MS = 100;
const WIDE_OPEN = '1000000000';

/** How many sign-ups a second the bridge takes, and how fast the mails of a rush go out, with a mail server that takes them at once. */
export async function register({ quick }: { quick: boolean }): Promise<object> {
  const plan = quick ? { rounds: 1, seconds: 0.5, mails: 50 } : { rounds: ROUNDS, seconds: ROUND_SECONDS, mails: MAILS };
  const sink = await openSink();
  const generator = loadGenerator();
  const databaseUrl = await makeDatabase();
  let bridge: Service | undefined;
  try {
    bridge = await startBridge(databaseUrl.bridge, sink.url);
    const rounds = [];
    for (let round = 0; round <= plan.rounds; round += 1) {
      const answers = await generator.run({ origin: bridge.url, connections: CONNECTIONS, seconds: plan.seconds, calls: sample(), tokens: [], status: 202 });
      await forgetQueued(databaseUrl.admin);
      // The first one warms up.
      if (round > 0) rounds.push(answers);
    }
    const seconds = await drain(databaseUrl.admin, plan.mails);
    const rows: readonly Row[] = [
      { measured: 'answers of 202, mails going out meanwhile', unit: '1/s', value: median(rounds.map(({ perSecond }) => perSecond)) },
      { measured: 'p99 of these', unit: 'ms', value: median(rounds.map(({ milliseconds }) => distribution(milliseconds).p99)) },
      { measured: `${plan.mails} queued mails are out after`, unit: 's', value: seconds },
      { measured: 'mails', unit: '1/s', value: plan.mails / seconds },
    ];
    printRows(rows);
    return { rounds: plan.rounds, secondsEach: plan.seconds, connections: CONNECTIONS, rows };
  } finally {
    generator.close();
    await bridge?.stop();
    await withClient(stack().databaseUrl, (client) => dropDatabase(client, DATABASE));
    await sink.close();
  }
}

/** Of its own on the stack's server, so that the stack's bridge has no part in it. */
async function makeDatabase(): Promise<{ bridge: string; admin: string }> {
  await withClient(stack().databaseUrl, async (client) => {
    await dropDatabase(client, DATABASE);
    await ensureDatabase(client, DATABASE, ['bridge']);
  });
  return { bridge: ourDatabase(bridgeSettings()['BRIDGE_DATABASE_URL'] ?? ''), admin: ourDatabase(stack().databaseUrl) };
}

function ourDatabase(address: string): string {
  return Object.assign(new URL(address), { pathname: `/${DATABASE}` }).href;
}

/** In production mode, on the stack's Keycloak. */
function startBridge(databaseUrl: string, smtpUrl: string): Promise<Service> {
  const dataDir = dirname(process.env[STACK_VARIABLE] ?? '');
  const { BRIDGE_METRICS_PORT: _port, ...settings } = bridgeSettings();
  const env = {
    ...settings,
    VESTIBULE_MODE: 'production',
    KEYCLOAK_PUBLIC_URL: 'https://keycloak.test',
    PROXY_PUBLIC_URL: 'https://proxy.test',
    MOVABLE_CLOCK: 'false',
    BRIDGE_DATABASE_URL: databaseUrl,
    SMTP_URL: smtpUrl,
    REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: WIDE_OPEN,
    REGISTER_LIMIT_PER_MINUTE: WIDE_OPEN,
  };
  return startService('bridge/main.ts', env, '/readyz', { record: processRecord(dataDir), dataDir });
}

function bridgeSettings(): Record<string, string> {
  return parseEnv(readFileSync(join(dirname(process.env[STACK_VARIABLE] ?? ''), 'bridge.env'), 'utf8')) as Record<string, string>;
}

function sample(): readonly Call[] {
  const run = Math.random().toString(36).slice(2);
  return Array.from({ length: CALLS }, (_, index) => ({ method: 'POST', path: '/api/trial/register', body: JSON.stringify({ username: `rush-${run}-${index}@example.com` }) }));
}

/** So that a round does not work for the one before it. */
async function forgetQueued(adminUrl: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    await client.query('delete from graphile_worker._private_jobs where locked_at is null');
    await until(async () => (await client.query('select from graphile_worker.jobs limit 1')).rowCount === 0);
  });
}

/** Answers the seconds from the moment when all are queued to that when the last one is sent. */
async function drain(adminUrl: string, mails: number): Promise<number> {
  return withClient(adminUrl, async (client) => {
    const sent = async (): Promise<number> => Number((await client.query(`select count(*) from bridge.mail where state = 'sent'`)).rows[0].count);
    const before = await sent();
    await client.query(
      `with request as (
         insert into bridge.sign_up_request (product, address, address_hash, locale, attributes, consents, request_id, requested_at)
         select 'app', 'queued-' || n || '@example.com', sha256(convert_to('queued' || n, 'UTF8')), 'en', '{}', '[]', 'bench', now() from generate_series(1, $1::int) n
         returning id
       )
       select graphile_worker.add_job('send_invitation', payload => json_build_object('sign_up_request_id', id)) from request`,
      [mails],
    );
    const started = performance.now();
    await until(async () => (await sent()) - before >= mails);
    return (performance.now() - started) / 1000;
  });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(LOOK_EVERY_MS);
}
