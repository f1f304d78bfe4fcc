import KeycloakAdminClient from '@keycloak/keycloak-admin-client';
import type { Config } from '../config.ts';
import type { Finding } from './finding.ts';

/** Beyond it the bridge refuses what Keycloak signs as "issued in the future". */
const MOST_SKEW_SECONDS = 5;
const TIME_LIMIT_MILLISECONDS = 10_000;

type Asked = Pick<Config, 'keycloak' | 'clientId' | 'clientSecret' | 'address'>;

/** A clock elsewhere, in seconds ahead of ours. */
interface Reading {
  name: string;
  aheadSeconds: number;
}

/** Keycloak's clock against the bridge's: trials end by both, and service tokens live for 30 s. */
export async function checkClocks(config: Asked): Promise<{ passed: readonly string[]; findings: readonly Finding[] }> {
  const [keycloak, bridge] = await Promise.all([readKeycloak(config), readBridge(config)]);
  const skew = keycloak.aheadSeconds - bridge.aheadSeconds;
  if (Math.abs(skew) <= MOST_SKEW_SECONDS) return { passed: ['clock'], findings: [] };
  const suspect = [keycloak, bridge].reduce((one, other) => (Math.abs(other.aheadSeconds) > Math.abs(one.aheadSeconds) ? other : one));
  return {
    passed: [],
    findings: [
      {
        check: 'clock',
        subject: 'Keycloak',
        detail: `is ${Math.abs(Math.round(skew))} s ${skew > 0 ? 'ahead of' : 'behind'} the bridge: its calls are refused, nobody can sign up, and trials end at other seconds on either side`,
        advice: `Let both machines take the time by NTP (chronyc tracking, timedatectl). Compared with this machine the clock of ${suspect.name} is the wrong one.`,
      },
    ],
  };
}

/** By the instant at which it signs a token: it sends no Date. */
async function readKeycloak({ keycloak, clientId, clientSecret }: Asked): Promise<Reading> {
  const admin = new KeycloakAdminClient({ baseUrl: keycloak.internalUrl, realmName: keycloak.realm, timeout: TIME_LIMIT_MILLISECONDS });
  await admin.auth({ grantType: 'client_credentials', clientId, clientSecret: clientSecret.reveal() });
  const claims = JSON.parse(Buffer.from((admin.accessToken ?? '').split('.')[1] ?? '', 'base64url').toString()) as { iat: number };
  return { name: 'Keycloak', aheadSeconds: claims.iat - Date.now() / 1000 };
}

async function readBridge({ address }: Asked): Promise<Reading> {
  const answer = await fetch(`http://${address.host}:${address.port}/livez`, { signal: AbortSignal.timeout(TIME_LIMIT_MILLISECONDS) });
  return { name: 'the bridge', aheadSeconds: (Date.parse(answer.headers.get('date') ?? '') - Date.now()) / 1000 };
}
