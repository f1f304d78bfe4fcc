import type { Call } from '../load/load.ts';
import { fillTables, md5, upTo, uuid, uuidOf } from '../rows.ts';

/** Open invitations for every trial. */
const INVITED_SHARE = 0.1;
const TABLES = ['bridge.invitation', 'bridge.registration', 'bridge.trial'];

/** That many people with a trial and what led to it, and a tenth as many that hold an open invitation. `adminUrl` is the superuser's. */
export async function fillTrials(adminUrl: string, trials: number): Promise<void> {
  await fillTables(adminUrl, TABLES, async (client) => {
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
