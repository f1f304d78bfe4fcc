import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Check, Fault, Faults } from './check.ts';
import type { View } from './view.ts';

const TIME_LIMIT_MILLISECONDS = 20_000;
const TOKEN_BYTES = 32;

/** The page that the invitation step shows says why in `data-reason`. */
const VERDICTS: Readonly<Record<string, Fault>> = {
  missing: {
    detail: 'an invitation does not reach the invitation step: Keycloak dropped the parameter',
    advice: 'The proxy sends 2 extra parameters of at most 43 characters: raise --spi-login-protocol--openid-connect--add-req-params-max-number (5), …-max-size (2000) and …-max-overall-size of Keycloak to what they were.',
  },
  unavailable: {
    detail: "Keycloak gets no usable answer from the bridge: nobody can sign up",
    advice: 'Keycloak\'s log says why at "The bridge did not answer to verify": the address at the gears of the steps, certificates, clocks (npm run doctor -- clock), a bridge of another release.',
  },
  misconfigured: { detail: 'the invitation step is not usable as it is set up', advice: 'Authentication → the registration flow → the gear of "Trial: invitation": correct the setting that Keycloak\'s log names; see also the check step-settings.' },
};

/**
 * Follows a link whose token nobody has, as the proxy would: what comes back tells whether the parameters arrive and whether Keycloak
 * reaches the bridge. It makes nothing but one REGISTER_ERROR event (trial_invitation_unknown).
 */
export const probeChecks: readonly Check[] = [
  {
    name: 'extra-parameters',
    run: followUnknownLink,
    advice: 'npm run doctor -- realm: its checks registration-flow and our-clients say what is missing. A link of the proxy in a private window shows what people see.',
  },
];

async function followUnknownLink({ config, client }: View): Promise<Faults> {
  if (client(config.proxyClientId)?.attributes?.['require.pushed.authorization.requests'] === 'true') {
    return { notLookedAt: `client ${config.proxyClientId} takes pushed requests only, for which the doctor lacks its secret; follow an invitation by hand` };
  }
  const answer = await fetch(addressOf(config), { redirect: 'follow', signal: AbortSignal.timeout(TIME_LIMIT_MILLISECONDS) });
  const reason = /data-reason="(\w+)"/.exec(await answer.text())?.[1];
  if (reason === 'unknown') return [];
  return [VERDICTS[reason ?? ''] ?? `a link with an unknown invitation was answered ${answer.status}, and not by the page of the invitation step`];
}

function addressOf({ keycloak, proxyClientId, proxyUrl, invitationEndpoint }: View['config']): string {
  const query = new URLSearchParams({
    client_id: proxyClientId,
    response_type: 'code',
    scope: 'openid',
    redirect_uri: `${proxyUrl}/api/callback`,
    state: randomUUID(),
    nonce: randomUUID(),
    code_challenge: createHash('sha256').update(randomBytes(TOKEN_BYTES)).digest('base64url'),
    code_challenge_method: 'S256',
    prompt: 'create',
    request_id: randomUUID(),
    invitation_token: randomBytes(TOKEN_BYTES).toString('base64url'),
  });
  return `${keycloak.internalUrl}/realms/${encodeURIComponent(keycloak.realm)}/protocol/openid-connect/${invitationEndpoint}?${query}`;
}
