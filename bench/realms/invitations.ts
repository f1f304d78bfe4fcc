import { hashToken, newToken } from '../../platform/token.ts';
import { queryDatabase } from '../../test/support/stack.ts';

export interface Invited {
  token: string;
  address: string;
}

/** Open invitations, as a mail would have carried them. */
export async function invite(name: string, count: number): Promise<readonly Invited[]> {
  const run = newToken().slice(0, 8).toLowerCase().replaceAll(/[^a-z0-9]/g, 'x');
  const invited = Array.from({ length: count }, (_, index) => ({ token: newToken(), address: `${name}-${run}-${index}@example.com` }));
  await queryDatabase(
    `insert into bridge.invitation (token_hash, product, address, locale, issued_at, expires_at)
     select token_hash, 'app', address, 'en', now(), now() + interval '7 days' from unnest($1::bytea[], $2::text[]) as one(token_hash, address)`,
    [invited.map(({ token }) => hashToken(token)), invited.map(({ address }) => address)],
  );
  return invited;
}
