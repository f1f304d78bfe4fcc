/** What the bridge sends to Postgres for each of Keycloak's questions: test/bridge/peer.test.ts holds them against it. */
export const SELECTS = {
  verify: `/* prepared: look */
    select id, product, address, first_name as "firstName", last_name as "lastName", locale, state, attempt_id as "attemptId", expires_at as "expiresAt", account_id as "accountId"
    from bridge.invitation where token_hash = $1 and account_id is null`,
  infos: `/* prepared: longest-trial */
    select product, user_id as "userId", trial_ends_at as "trialEndsAt", trial_access_until as "trialAccessUntil"
    from bridge.trial where user_id = $1 and product = any($2) order by trial_access_until desc nulls first limit 1`,
} as const;
