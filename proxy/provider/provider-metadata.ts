import * as oidc from 'openid-client';
import type { ProviderConfig } from '../site/site.ts';
import { clientAuthentication } from './client-proof.ts';
import { unreachable } from './failures.ts';

const CALL_LIMIT_SECONDS = 5;
/** Read again now and then, so that a changed endpoint is found without a restart. */
const LIFETIME_MILLISECONDS = 15 * 60_000;

export interface ProviderMetadata {
  /** As it was found at first use, or again after a failure. Throws where the provider does not answer. */
  configuration(): Promise<oidc.Configuration>;
  /** Asks now, whatever is known. */
  discover(): Promise<oidc.Configuration>;
}

export function providerMetadata(provider: ProviderConfig, dial: oidc.CustomFetch): ProviderMetadata {
  const insecure = provider.publicUrl.startsWith('http:') || provider.internalUrl.startsWith('http:');
  let metadata: { found: Promise<oidc.Configuration>; until: number } | undefined;

  const discover = (): Promise<oidc.Configuration> => {
    const found = oidc
      .discovery(new URL(provider.issuer), provider.clientId, {}, clientAuthentication(provider.clientProof), {
        timeout: CALL_LIMIT_SECONDS,
        execute: insecure ? [oidc.allowInsecureRequests] : [],
        [oidc.customFetch]: dial,
      })
      .catch((error: unknown) => {
        if (metadata?.found === found) metadata = undefined;
        throw unreachable(error);
      });
    return found;
  };
  const configuration = (): Promise<oidc.Configuration> => {
    if (!metadata || metadata.until < Date.now()) metadata = { found: discover(), until: Date.now() + LIFETIME_MILLISECONDS };
    return metadata.found;
  };

  return { configuration, discover };
}
