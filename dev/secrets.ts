import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from './whole-file.ts';

const PASSWORD_BYTES = 24;
const KEY_BYTES = 32;

const MAKERS = {
  postgres: password,
  databaseBridge: password,
  databaseProxy: password,
  databaseKeycloak: password,
  admin: password,
  staff: password,
  bridgeClient: password,
  proxyClient: password,
  sessionEncryptionKey: key,
  addressHashKey: key,
  billingToken: key,
  embedSigningKey: signingKey,
  selfHostedServer: serverKey,
  sampleAppWebhook: webhookSecret,
};

export type Secrets = Readonly<Record<keyof typeof MAKERS, string>>;

/** Made once per data folder, readable by its owner only. */
export function secretsOf(dataDir: string): Secrets {
  const file = join(dataDir, 'secrets.json');
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<Secrets>) : {};
  const made = Object.fromEntries(Object.entries(MAKERS).map(([name, make]) => [name, make()]));
  const secrets = { ...made, ...kept } as Secrets;
  if (Object.keys(made).some((name) => !(name in kept))) writeWhole(file, JSON.stringify(secrets, null, 2));
  return secrets;
}

/** Letters and digits only: it stands in addresses and in files of environment variables. */
function password(): string {
  return randomBytes(PASSWORD_BYTES).toString('hex');
}

/** P-256 in PEM. */
function signingKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1', privateKeyEncoding: { type: 'sec1', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
  return privateKey.trim();
}

/** 64 characters, as the billing service wants them. */
function serverKey(): string {
  return randomBytes(KEY_BYTES).toString('hex');
}

function webhookSecret(): string {
  return `whsec_${key()}`;
}

function key(): string {
  return randomBytes(KEY_BYTES).toString('base64');
}
