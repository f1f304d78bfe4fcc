import { createHash } from 'node:crypto';
import { withClient } from '../../dev/postgres.ts';
import type { Call } from '../load/load.ts';

/** Open invitations for every trial. */
const INVITED_SHARE = 0.1;
const TABLES = ['bridge.invitation', 'bridge.registration', 'bridge.trial'];

/** That many people with a trial and what led to it, and a tenth as many that hold an open invitation. `adminUrl` is the superuser's. */
export async function fillTrials(adminUrl: string, trials: number): Promise<void> {
  await withClient(adminUrl, async (client) => {
    // No foreign keys, no triggers and no indexes while it fills: rows that fit are written, and indexed all at once.
    await client.query('set session_replication_role = replica');
    await client.query(`set maintenance_work_mem = '256MB'`);
    await client.query('update pg_index set indisready = false, indisvalid = false where indrelid = any($1::regclass[])', [TABLES]);
    await client.query(
      `insert into bridge.invitation (id, token_hash, product, address, locale, state, attempt_id, issued_at, expires_at)
       select ${uuid('invitation')}, sha256(convert_to(md5('token' || n), 'UTF8')), 'app', 'person-' || n || '@example.com', 'en',
              case when n <= $1::int then 'spent' else 'issued' end, case when n <= $1::int then ${uuid('attempt')} end, now(), now() + interval '7 days'
       from generate_series(1, $1::int + $2::int) n`,
      [trials, openInvitations(trials)],
    );
    await client.query(
      `insert into bridge.registration (attempt_id, invitation_id, product, address, user_id, state, locale, trial_app_id, trial_ends_at, trial_access_until, attempted_at, settled_at)
       select ${uuid('attempt')}, ${uuid('invitation')}, 'app', 'person-' || n || '@example.com', ${uuid('user')}::text, 'confirmed', 'en', ${uuid('app')}, now() + interval '14 days', now() + interval '17 days', now(), now()
       from generate_series(1, $1::int) n`,
      [trials],
    );
    await client.query(
      `insert into bridge.trial (id, product, user_id, attempt_id, trial_ends_at, trial_access_until)
       select ${uuid('trial')}, 'app', ${uuid('user')}::text, ${uuid('attempt')}, now() + interval '14 days', now() + interval '17 days'
       from generate_series(1, $1::int) n`,
      [trials],
    );
    for (const table of TABLES) {
      await client.query(`reindex table ${table}`);
      await client.query(`vacuum (analyze) ${table}`);
    }
    await client.query('checkpoint');
  });
}

/** Which of Keycloak's two questions, about anybody of them. */
export const QUESTIONS = {
  verify: (trials: number): Call => ({ method: 'POST', path: '/api/trial/verify', body: JSON.stringify({ token: md5('token', trials + upTo(openInvitations(trials))) }) }),
  infos: (trials: number): Call => ({ method: 'GET', path: `/api/trial/infos?user_id=${uuidOf('user', upTo(trials))}&client_id=vestibule-proxy` }),
} as const;

function openInvitations(trials: number): number {
  return trials * INVITED_SHARE;
}

function uuid(what: string): string {
  return `md5('${what}' || n)::uuid`;
}

function uuidOf(what: string, n: number): string {
  return md5(what, n).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function md5(what: string, n: number): string {
  return createHash('md5').update(`${what}${n}`).digest('hex');
}

function upTo(most: number): number {
  return 1 + Math.floor(Math.random() * most);
}
