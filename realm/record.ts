import type { RealmAdmin } from './admin.ts';
import type { Purpose } from './flow/rules.ts';

/**
 * What the realm was before, for `stock` and `remove`. It is kept on our own client: the realm's own attributes can only be
 * written all at once, over what another admin writes meanwhile.
 */
export interface TakenUp {
  /** Each flow of ours by its alias, and the one that it stands in for, as that was then. None: there was no flow. */
  standIns: Record<string, { purpose: Purpose; original?: { alias: string; shape: string } | undefined }>;
  registrationAllowed: boolean;
  /** What was not there: `client vestibule-proxy`, `realm role staff` …; only these are taken out again. */
  made: string[];
  /** When the stock flows were bound again, in milliseconds of the epoch. */
  stockSince?: number | undefined;
}

export const KEEPER = 'vestibule-bridge';
export const RECORD_ATTRIBUTE = 'vestibule.taken.up';

interface KeepingClient {
  id: string;
  attributes?: Record<string, string>;
}

export async function readRecord(admin: RealmAdmin): Promise<TakenUp | undefined> {
  const written = (await findKeeper(admin))?.attributes?.[RECORD_ATTRIBUTE];
  return written === undefined ? undefined : (JSON.parse(written) as TakenUp);
}

export async function writeRecord(admin: RealmAdmin, record: TakenUp): Promise<void> {
  const client = await findKeeper(admin);
  if (client === undefined) throw new Error(`Client ${KEEPER} is gone, and with it what the realm was before. Run apply again.`);
  await admin.put(`/clients/${client.id}`, { ...client, attributes: { ...client.attributes, [RECORD_ATTRIBUTE]: JSON.stringify(record) } });
}

/** What was written first stays: a later apply finds our own doing, not what was before. */
export function extend(record: TakenUp, found: Partial<TakenUp>): TakenUp {
  return {
    ...record,
    standIns: { ...found.standIns, ...record.standIns },
    made: [...new Set([...record.made, ...(found.made ?? [])])],
  };
}

async function findKeeper(admin: RealmAdmin): Promise<KeepingClient | undefined> {
  const [client] = await admin.get<KeepingClient[]>(`/clients?clientId=${KEEPER}`);
  return client;
}
