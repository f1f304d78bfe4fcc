import { parseArgs } from 'node:util';
import { readConfig, secretText } from '../../platform/config.ts';
import { openDatabase } from '../../platform/database.ts';
import type { Db, Schema } from '../db/schema.ts';
import { listDeliveries, replay, type Listed } from './delivery.store.ts';
import { EVENT_TYPES } from './event-types.ts';
import { skip } from './tell.service.ts';

const MOST_LISTED = 500;
const USAGE = `Usage: npm run webhooks -- COMMAND
  list                       what apps have not taken yet, and what was given up (dead), oldest first
  list --dead                the latter only
  list --trial ID            everything that was told of one trial
  replay --dead              sends again what was given up, and then what waits behind it
  replay --trial ID          sends everything of one trial again, in its order
  replay --since INSTANT     sends everything again that happened since then (2026-11-21T00:00:00Z)
  skip --trial ID            leaves out what was given up of one trial: what waits behind it goes on without`;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

interface Options {
  dead: boolean;
  trial: string | undefined;
  since: Date | undefined;
}

const COMMANDS: Readonly<Record<string, (db: Db, options: Options) => Promise<string>>> = {
  list: async (db, { dead, trial }) => listed(await listDeliveries(db, { dead, lifeId: trial }, MOST_LISTED)),
  replay: async (db, { dead, trial, since }) => {
    const [which, ...more] = [...(trial === undefined ? [] : [{ lifeId: trial }]), ...(since === undefined ? [] : [{ since }]), ...(dead ? [{ dead: true as const }] : [])];
    if (which === undefined || more.length > 0) throw new Error(USAGE);
    return `${await replay(db, which)} events are sent again.`;
  },
  skip: async (db, { trial }) => {
    if (trial === undefined) throw new Error(USAGE);
    return `${await skip(db, trial)} events are left out.`;
  },
};

try {
  const [command, options] = wish();
  const config = readConfig({ BRIDGE_DATABASE_URL: secretText }, process.env);
  const { db, close } = openDatabase<Schema>(config.BRIDGE_DATABASE_URL.reveal(), { poolSize: 1, name: 'vestibule-webhooks', onError: () => {} });
  try {
    console.log(await command(db, options));
  } finally {
    await close();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

function wish(): [(db: Db, options: Options) => Promise<string>, Options] {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { dead: { type: 'boolean', default: false }, trial: { type: 'string' }, since: { type: 'string' } } });
  const command = positionals.length === 1 ? COMMANDS[positionals[0] ?? ''] : undefined;
  if (command === undefined) throw new Error(USAGE);
  if (values.trial !== undefined && !UUID.test(values.trial)) throw new Error('--trial: must be the id of a trial, as GET /api/trial gives it.');
  const since = values.since === undefined ? undefined : new Date(values.since);
  if (Number.isNaN(since?.getTime() ?? 0)) throw new Error('--since: must be an instant such as 2026-11-21T00:00:00Z.');
  return [command, { dead: values.dead, trial: values.trial?.toLowerCase(), since }];
}

function listed(all: readonly Listed[]): string {
  if (all.length === 0) return 'Nothing.';
  const lines = all.map(({ lifeId, product, kind, at, delivery, tries, failure }) => [at.toISOString(), lifeId, product, EVENT_TYPES[kind], delivery, `${tries} tries`, failure ?? ''].join('  ').trimEnd());
  return [...lines, ...(all.length === MOST_LISTED ? [`… the first ${MOST_LISTED} only`] : [])].join('\n');
}
