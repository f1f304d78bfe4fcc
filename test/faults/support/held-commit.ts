import { Client } from 'pg';
import { eventually } from '../../support/eventually.ts';
import { stack } from '../../support/stack.ts';

const LOCK = 26_070_004;
const ARRIVES_WITHIN_MS = 20_000;
const WAITING = `select pid, query from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' and objid = ${LOCK} and not granted`;

export interface HeldCommit {
  /** Until Keycloak's COMMIT of a new user waits: everything before it is done. */
  waits(): Promise<void>;
  /** It never takes effect, as if Keycloak had ended right before it. */
  lose(): Promise<void>;
  /** It takes effect, whether somebody still waits for its answer or not. */
  letGo(): Promise<void>;
}

/**
 * The next new users of Keycloak wait in their COMMIT: a deferred constraint trigger fires nowhere else, and this one waits
 * for a lock that is held here.
 */
export async function holdUserCommits(): Promise<HeldCommit> {
  const url = new URL(stack().databaseUrl);
  url.pathname = '/keycloak';
  const client = new Client({ connectionString: url.href });
  await client.connect();
  await client.query(`
    select pg_advisory_lock(${LOCK});
    create function public.wait_at_commit() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(${LOCK}); return null; end $$;
    create constraint trigger wait_at_commit after insert on public.user_entity deferrable initially deferred for each row execute function public.wait_at_commit()`);
  const waiting = async (): Promise<{ query: string }[]> => (await client.query<{ query: string }>(WAITING)).rows;
  const end = async (): Promise<void> => {
    await client.query(`select pg_advisory_unlock(${LOCK})`);
    // Waits for who is still in a transaction with users.
    await client.query('drop trigger wait_at_commit on public.user_entity; drop function public.wait_at_commit()');
    await client.end();
  };
  return {
    waits: async () => {
      const [{ query }] = await eventually(async () => {
        const rows = await waiting();
        return rows.length > 0 && (rows as [{ query: string }]);
      }, ARRIVES_WITHIN_MS);
      if (!/^commit$/i.test(query)) throw new Error(`What waits is no COMMIT but: ${query}`);
    },
    lose: async () => {
      await client.query(`select pg_terminate_backend(pid) from (${WAITING}) waiting`);
      await eventually(async () => (await waiting()).length === 0);
      await end();
    },
    letGo: end,
  };
}
