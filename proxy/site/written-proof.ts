import { z } from 'zod';
import { readConfig, secretText, text } from '../../platform/config.ts';
import { secret } from '../../platform/secret.ts';
import { readClientKey, type ClientProof } from '../provider/client-proof.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Undefined where the file holds a usable key. */
function keyFault(file: string): string | undefined {
  try {
    readClientKey(file, undefined);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const SECRET_SHAPE = { PROXY_CLIENT_SECRET: secretText };
const KEY_SHAPE = {
  PROXY_CLIENT_KEY_FILE: text.superRefine((file, check) => {
    const message = keyFault(file);
    if (message !== undefined) check.addIssue({ code: 'custom', message });
  }),
  PROXY_CLIENT_KEY_ID: text.optional(),
  PROXY_CLIENT_SECRET: z.undefined('must not be set beside PROXY_CLIENT_KEY_FILE: leave one of them out').optional(),
};

/** Which variables say how the client of one site, from the environment alone, proves itself. */
export function proofShape(env: Env): typeof SECRET_SHAPE | typeof KEY_SHAPE {
  return env['PROXY_CLIENT_KEY_FILE'] ? KEY_SHAPE : SECRET_SHAPE;
}

export function proofFrom(env: Env): ClientProof {
  if (!env['PROXY_CLIENT_KEY_FILE']) return { secret: readConfig(SECRET_SHAPE, env).PROXY_CLIENT_SECRET };
  const { PROXY_CLIENT_KEY_FILE, PROXY_CLIENT_KEY_ID } = readConfig(KEY_SHAPE, env);
  return { key: readClientKey(PROXY_CLIENT_KEY_FILE, PROXY_CLIENT_KEY_ID) };
}

/** The same in a site of the sites file. */
export const writtenProof = {
  client_secret_variable: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/, 'must be the name of an environment variable')
    .optional()
    .meta({ description: 'The environment variable that holds the client secret' }),
  client_key_file: z.string().min(1).optional().meta({ description: 'Instead of a secret: a private key in PEM or as a JWK, for private_key_jwt' }),
  client_key_id: z.string().min(1).optional().meta({ description: 'The kid under which the provider knows it; default: that of the JWK' }),
};
type WrittenProof = z.infer<z.ZodObject<typeof writtenProof>>;

export function writtenProofFaults({ client_secret_variable: variable, client_key_file: file }: WrittenProof, at: string, env: Env): string[] {
  if ((variable === undefined) === (file === undefined)) return [`${at}: must have either client_secret_variable or client_key_file`];
  if (file !== undefined) return [keyFault(file)].filter((fault) => fault !== undefined).map((fault) => `${at}.client_key_file: ${fault}`);
  const value = env[variable ?? ''];
  if (!value) return [`${at}.client_secret_variable: ${variable} is not set`];
  return value.startsWith('${') ? [`${at}.client_secret_variable: ${variable} is an unreplaced placeholder`] : [];
}

export function proofOf({ client_secret_variable: variable, client_key_file: file, client_key_id: keyId }: WrittenProof, env: Env): ClientProof {
  return file === undefined ? { secret: secret(env[variable ?? ''] ?? '') } : { key: readClientKey(file, keyId) };
}
