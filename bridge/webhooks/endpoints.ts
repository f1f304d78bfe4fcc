import { ConfigError, publicAddressFaults } from '../../platform/config.ts';
import type { Products } from '../../platform/products.ts';
import { secret, type Secret } from '../../platform/secret.ts';
import { isPublic, isRefusedLiteral } from '../outbound/addresses.ts';

/** Where the app of a product hears of its trials. */
export interface Endpoint {
  product: string;
  url: string;
  /** Each signs: an app that knows any of them believes us, so that secrets are changed without a break. */
  secrets: readonly Secret[];
  /** Nobody is let in before it has answered `trial.created`. */
  waits: boolean;
}

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
/** As the Standard Webhooks specification has them. */
const [FEWEST_BYTES, MOST_BYTES] = [24, 64];

/** Pure: what products.yaml says about webhooks, with the secrets that the environment holds. Throws {@link ConfigError} with all faults. */
export function loadEndpoints(env: Readonly<Record<string, string | undefined>>, products: Products, { development }: { development: boolean }): readonly Endpoint[] {
  const told = products.flatMap(({ id, webhook, provision }) => (webhook ? [{ id, webhook, provision }] : []));
  const faults = [
    ...new Set(told.flatMap(({ webhook }) => webhook.secret_env.flatMap((name) => secretFaults(name, env[name])))),
    ...(development ? [] : told.flatMap(({ id, webhook }) => addressFaults(`products.${id}.webhook.url`, webhook.url))),
  ];
  if (faults.length > 0) throw new ConfigError(faults);
  return told.map(({ id, webhook, provision }) => ({ product: id, url: webhook.url, secrets: webhook.secret_env.map((name) => secret(env[name] ?? '')), waits: provision === 'wait' }));
}

function secretFaults(name: string, value: string | undefined): string[] {
  if (!value) return [`${name}: is not set; products.yaml names it as the secret of a webhook`];
  const bytes = Buffer.from(SECRET.exec(value)?.[1] ?? '', 'base64').length;
  return bytes >= FEWEST_BYTES && bytes <= MOST_BYTES ? [] : [`${name}: must be whsec_ and ${FEWEST_BYTES} to ${MOST_BYTES} bytes in base64 (echo "whsec_$(openssl rand -base64 32)")`];
}

function addressFaults(name: string, url: string): readonly string[] {
  const faults = publicAddressFaults({ [name]: url });
  return faults.length > 0 || !isRefusedLiteral(url, isPublic) ? faults : [`${name}: must not be a private address in production`];
}
