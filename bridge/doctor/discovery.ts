import type { Check, Fault, Faults } from './check.ts';
import type { View } from './view.ts';

const TIME_LIMIT_MILLISECONDS = 20_000;
/** Before it Keycloak ignores prompt=create within a pushed request. */
const FIRST_WITH_PUSHED_PROMPT = [26, 7] as const;

interface Metadata {
  issuer?: string;
  pushed_authorization_request_endpoint?: string;
  prompt_values_supported?: readonly string[];
}

export const discoveryChecks: readonly Check[] = [
  {
    name: 'issuer',
    run: issuers,
    advice: 'Keycloak: KC_HOSTNAME is the public address; bridge and proxy: KEYCLOAK_PUBLIC_URL is the same, to the letter. Tokens carry it, and both sides compare it.',
  },
  { name: 'invitation-way', run: invitationWay, advice: 'Set INVITATION_ENDPOINT and INVITATION_BY_PAR of the proxy as docs/versions.md has them for this Keycloak.' },
];

/** The same at every address by which it is dialled. */
async function issuers({ config }: View): Promise<Faults> {
  const { publicUrl, internalUrl, nodeUrls, issuer } = config.keycloak;
  const dialled = [...new Set([publicUrl, internalUrl, ...nodeUrls])];
  const found = await Promise.all(dialled.map(async (url) => ({ url, ...(await metadataOf(url, config.keycloak.realm)) })));
  return found.flatMap(({ url, metadata, unreachable }): readonly Fault[] => {
    if (unreachable !== undefined) return [{ detail: `${url} did not tell its issuer: ${unreachable}`, advice: 'Let this machine reach it, or correct KEYCLOAK_PUBLIC_URL, KEYCLOAK_INTERNAL_URL or KEYCLOAK_NODE_URLS.' }];
    return metadata?.issuer === issuer ? [] : [`Keycloak at ${url} is the issuer ${metadata?.issuer}, bridge and proxy expect ${issuer}`];
  });
}

async function metadataOf(url: string, realm: string): Promise<{ metadata?: Metadata; unreachable?: string }> {
  try {
    const answer = await fetch(`${url}/realms/${encodeURIComponent(realm)}/.well-known/openid-configuration`, { signal: AbortSignal.timeout(TIME_LIMIT_MILLISECONDS) });
    return answer.ok ? { metadata: (await answer.json()) as Metadata } : { unreachable: `it answered ${answer.status}` };
  } catch (error) {
    const { message, cause } = error as { message: string; cause?: { message?: string } };
    return { unreachable: cause?.message || message };
  }
}

/** How the proxy brings an invitation to Keycloak, against what this Keycloak offers. SECURITY.md 10. */
async function invitationWay({ config, nodes }: View): Promise<Faults> {
  const { metadata, unreachable } = await metadataOf(config.keycloak.internalUrl, config.keycloak.realm);
  if (metadata === undefined) return [`Keycloak did not tell what it offers: ${unreachable}`];
  const version = (await nodes()).find(({ keycloakVersion }) => keycloakVersion !== undefined)?.keycloakVersion;
  const creates = metadata.prompt_values_supported?.includes('create') === true;
  const pushes = metadata.pushed_authorization_request_endpoint !== undefined;
  return [
    ...(config.invitationEndpoint === 'auth' && !creates ? ['this Keycloak does not know prompt=create: set INVITATION_ENDPOINT=registrations'] : []),
    ...(config.invitationByPar && !pushes ? ['this Keycloak takes no pushed authorization requests: set INVITATION_BY_PAR=false'] : []),
    ...(config.invitationByPar && version !== undefined && isBefore(version, FIRST_WITH_PUSHED_PROMPT) ? [`Keycloak ${version} ignores prompt=create in a pushed request: set INVITATION_BY_PAR=false`] : []),
    ...(!config.invitationByPar && version !== undefined && !isBefore(version, FIRST_WITH_PUSHED_PROMPT) ? [`Keycloak ${version} takes invitations by pushed requests, which keep them out of the address bar: unset INVITATION_BY_PAR`] : []),
  ];
}

function isBefore(version: string, [major, minor]: readonly [number, number]): boolean {
  const [ofMajor = 0, ofMinor = 0] = version.split('.').map(Number);
  return ofMajor < major || (ofMajor === major && ofMinor < minor);
}
