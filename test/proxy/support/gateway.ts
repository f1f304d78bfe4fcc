import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureProgram } from '../../../dev/debian-program.ts';
import { CADDY, NGINX } from '../../../dev/gateways.ts';
import { eventually } from '../../support/eventually.ts';
import { send } from './browser.ts';

export interface GatewayAddresses {
  port: number;
  proxyUrl: string;
  appUrl: string;
}

export type GatewayName = 'nginx' | 'caddy';

const PROGRAMS = { nginx: NGINX, caddy: CADDY };
const LANGUAGES = { nginx: 'nginx', caddy: 'caddyfile' };
const READY_WITHIN_MS = 20_000;

/** Gets it from Debian where it is not there yet. */
export function ensureGateway(name: GatewayName): void {
  ensureProgram(PROGRAMS[name]);
}

/** The gateway with the very lines that docs/proxy.md tells people to take, and nothing but addresses replaced. */
export async function startGateway(name: GatewayName, addresses: GatewayAddresses): Promise<{ stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const file = join(folder, 'config');
  writeFileSync(file, WRAPPED[name](snippetOf(LANGUAGES[name], addresses), addresses, folder));
  const args = { nginx: ['-p', folder, '-c', file, '-e', 'stderr'], caddy: ['run', '--adapter', 'caddyfile', '--config', file] }[name];
  const running = spawn(ensureProgram(PROGRAMS[name]), args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder } });
  let said = '';
  running.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const stop = async (): Promise<void> => {
    running.kill();
    if (running.exitCode === null && running.signalCode === null) await once(running, 'exit');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually(async () => running.exitCode !== null || (await send(`http://127.0.0.1:${addresses.port}/api/session`)).status === 200, READY_WITHIN_MS);
    if (running.exitCode !== null) throw new Error('it ended');
  } catch (error) {
    await stop();
    throw new Error(`${name} does not run:\n${said}`, { cause: error });
  }
  return { stop };
}

function snippetOf(language: string, { port, proxyUrl, appUrl }: GatewayAddresses): string {
  const [, snippet] = new RegExp(`\`\`\`${language}\n([^]*?)\n\`\`\``).exec(readFileSync(join(import.meta.dirname, '../../../docs/proxy.md'), 'utf8')) ?? [];
  if (snippet === undefined) throw new Error(`docs/proxy.md has no snippet in ${language}`);
  return snippet.replaceAll('vestibule-proxy:8400', new URL(proxyUrl).host).replaceAll('app:3000', new URL(appUrl).host).replaceAll('app.example.com', `http://127.0.0.1:${port}`);
}

const WRAPPED: Readonly<Record<GatewayName, (snippet: string, addresses: GatewayAddresses, folder: string) => string>> = {
  nginx: (snippet, { port }, folder) => `
    daemon off; master_process off; pid ${folder}/pid; error_log stderr;
    events {}
    http {
      access_log off;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
      server { listen 127.0.0.1:${port};
${snippet}
      }
    }`,
  caddy: (snippet) => `{\n\tadmin off\n\tauto_https off\n}\n${snippet}\n`,
};
