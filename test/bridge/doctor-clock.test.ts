import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { checkClocks } from '../../bridge/doctor/clock.ts';
import { secret } from '../../platform/secret.ts';

/** Seconds that each is ahead of this machine. What a stack does with such clocks: test/faults/long/clocks. */
let ahead: { keycloak: number; bridge: number };
let server: Server;
let port: number;
beforeAll(async () => {
  server = createServer((req, res) => {
    if (req.url === '/livez') return res.setHeader('Date', new Date(Date.now() + ahead.bridge * 1000).toUTCString()).end('{}');
    const claims = Buffer.from(JSON.stringify({ iat: Math.floor(Date.now() / 1000 + ahead.keycloak) })).toString('base64url');
    return res.setHeader('Content-Type', 'application/json').end(JSON.stringify({ access_token: `e30.${claims}.x`, expires_in: 60 }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => void server.close());

const look = () => {
  const url = `http://127.0.0.1:${port}`;
  return checkClocks({ keycloak: { publicUrl: url, internalUrl: url, nodeUrls: [url], realm: 'vestibule', issuer: `${url}/realms/vestibule` }, clientId: 'vestibule-bridge', clientSecret: secret('x'), address: { host: '127.0.0.1', port } });
};

describe('clocks', () => {
  test.each([
    [0, 0],
    [3, 0],
    [-3, 0],
    [600, 600],
  ])('of Keycloak %i s and the bridge %i s ahead of this machine agree', async (keycloak, bridge) => {
    ahead = { keycloak, bridge };
    expect(await look()).toEqual({ passed: ['clock'], findings: [] });
  });

  test.each([
    [120, 0, /^is (119|120|121) s ahead of the bridge/, 'Keycloak is the wrong one'],
    [-120, 0, /^is (119|120|121) s behind the bridge/, 'Keycloak is the wrong one'],
    [0, 120, /^is (119|120|121) s behind the bridge/, 'the bridge is the wrong one'],
    [0, -120, /^is (119|120|121) s ahead of the bridge/, 'the bridge is the wrong one'],
    [8, 0, /^is [789] s ahead of the bridge/, 'Keycloak is the wrong one'],
  ])('of Keycloak %i s and the bridge %i s ahead: it says how far, and whose is wrong', async (keycloak, bridge, detail, advice) => {
    ahead = { keycloak, bridge };
    const { passed, findings } = await look();
    expect(passed).toEqual([]);
    expect(findings).toMatchObject([{ check: 'clock', subject: 'Keycloak', detail: expect.stringMatching(detail), advice: expect.stringContaining(advice) }]);
  });
});
