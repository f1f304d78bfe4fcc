import { createServer } from 'node:http';
import { once } from 'node:events';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { KEYCLOAK_VERSION } from '../../dev/keycloak.ts';
import { fits, readNodes } from '../../bridge/keycloak/nodes.ts';
import { secret } from '../../platform/secret.ts';
import { adminClient } from '../../bridge/keycloak/accounts.ts';
import { bridgeEnvironment } from '../support/doctor.ts';
import { masterToken } from '../support/keycloak-admin.ts';
import { stack } from '../support/stack.ts';

let asBridge: () => Promise<string>;

beforeAll(() => {
  const env = bridgeEnvironment();
  const admin = adminClient({
    internalUrl: env['KEYCLOAK_INTERNAL_URL'] ?? '',
    realm: stack().realm,
    clientId: 'vestibule-bridge',
    clientSecret: secret(env['BRIDGE_CLIENT_SECRET'] ?? ''),
  });
  asBridge = async () => (await admin.getAccessToken()) ?? '';
});

describe('a node of Keycloak', () => {
  test('tells the bridge’s own account which jar it runs, and that it fits', async () => {
    const [node] = await readNodes([stack().keycloak], asBridge);
    expect(node).toMatchObject({ url: stack().keycloak, keycloakVersion: undefined, clusterSize: 1, jar: { version: '0.1.0', contract: '0.1' } });
    expect(fits(node?.jar ?? {})).toBe(true);
  });

  test('tells an admin of the master realm its version as well', async () => {
    expect(await readNodes([stack().keycloak], masterToken)).toMatchObject([{ keycloakVersion: KEYCLOAK_VERSION }]);
  });

  test('that is down, or no Keycloak, is named beside those that answer', async () => {
    const other = createServer((_, res) => res.writeHead(404).end()).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const urls = [`http://127.0.0.1:${port}`, stack().keycloak];
    expect(await readNodes(urls, asBridge)).toMatchObject([{ unreachable: 'it answered 404 for /admin/serverinfo' }, { jar: { contract: '0.1' } }]);
    other.close();
    await once(other, 'close');
    expect(await readNodes(urls, asBridge)).toMatchObject([{ unreachable: expect.any(String) }, { jar: { contract: '0.1' } }]);
  });
});

test.each([
  ['the contract of this release', { version: '0.1.0', contract: '0.1' }, true],
  ['one that the bridge does not know', { version: '9.0.0', contract: '9.0' }, false],
  ['none, as of a jar of before the first release', {}, false],
])('a jar with %s', (_, jar, expected) => {
  expect(fits(jar)).toBe(expected);
});
