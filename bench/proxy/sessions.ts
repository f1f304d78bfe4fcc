import { createHash } from 'node:crypto';
import { withClient } from '../../dev/postgres.ts';

/** What the cookie of the n-th session carries. */
export function sessionId(n: number): string {
  return createHash('sha256').update(`bench session ${n}`).digest('base64url');
}

/** That many people who are signed in for hours. */
export async function fillSessions(databaseUrl: string, { site, issuer, clientId }: { site: string; issuer: string; clientId: string }, count: number): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    await client.query(
      `insert into proxy.session (id_hash, site, issuer, client_id, sub, sid, email, name, roles, sealed_tokens, created_at, last_seen_at, ends_at, absolute_end_at)
       select hash, $1, $3, $4, 'user-' || n, 'sid-' || n, 'person-' || n || '@example.com', 'Person ' || n, array['trial-user'], repeat('t', 3000), now(), now(), now() + interval '9 hours', now() + interval '9 hours'
       from unnest($2::bytea[]) with ordinality as ids(hash, n)`,
      [site, Array.from({ length: count }, (_, n) => createHash('sha256').update(sessionId(n)).digest()), issuer, clientId],
    );
    await client.query('analyze proxy.session');
  });
}
