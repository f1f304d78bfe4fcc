import { spawn, type ChildProcess } from 'node:child_process';
import { freePort } from '../../../dev/ports.ts';
import { eventually, type TestBridge } from './bridge.ts';
import { ISSUER_URL } from './realm.ts';

export interface BridgeReplica {
  process: ChildProcess;
  url: string;
}

/** A process of its own on the same database, or on the way to it. */
export async function startReplica(bridge: TestBridge, databasePort: number, more: Readonly<Record<string, string>>): Promise<BridgeReplica> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const databaseUrl = new URL(bridge.databaseUrl);
  databaseUrl.hostname = '127.0.0.1';
  databaseUrl.port = String(databasePort);
  const env = {
    VESTIBULE_MODE: 'development',
    BRIDGE_PORT: String(port),
    BRIDGE_DATABASE_URL: databaseUrl.href,
    BRIDGE_CLIENT_SECRET: 'not used here',
    KEYCLOAK_PUBLIC_URL: ISSUER_URL,
    KEYCLOAK_INTERNAL_URL: bridge.realm.internalUrl,
    PROXY_PUBLIC_URL: 'http://proxy.test',
    SMTP_URL: `smtp://127.0.0.1:${bridge.inbox.smtpPort}`,
    MAIL_FROM: 'hello@example.com',
    CONTACT_URL: 'https://example.com/contact',
    ...more,
  };
  const replica = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'bridge/main.ts'], { env, stdio: 'ignore' });
  await eventually(async () => fetch(`${url}/livez`).then(({ ok }) => ok, () => false));
  return { process: replica, url };
}
