import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { loadEndpoints } from '../../../bridge/webhooks/endpoints.ts';
import { webhookPost } from '../../../bridge/webhooks/post.ts';
import { ConfigError } from '../../../platform/config.ts';
import { loadProducts } from '../../../platform/products.ts';
import { secret } from '../../../platform/secret.ts';
import { newSecret } from './told-app.ts';

const TIME_LIMIT_MILLISECONDS = 300;
const MESSAGE = { id: 'msg_1', body: '{"type":"trial.created"}' };
/** For localhost, signed by itself; everybody knows its key. */
const SELF_SIGNED = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBljCCATugAwIBAgIUKnkm98fdsXQvTnfZY156DszLwi4wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTIwNDEwM1oYDzIxMjYxMDI4
MjA0MTAzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASTAULlvtbgUV1wGsodWRijPOFW/+rJ3xvqLlDk0CrS2n7bLI0G3d9B
EFatDlkvW9OkImr7mhUn0ilIpzhvqHpXo2kwZzAdBgNVHQ4EFgQU2rsfp7d1dNiq
j9lPdvMrsJLT15MwHwYDVR0jBBgwFoAU2rsfp7d1dNiqj9lPdvMrsJLT15MwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SQAwRgIhAM7tOpKI2gt+pRwrzqtvUF0X0Y30mdrru7FSZ3N2QyMNAiEA//vu668T
35hp9lxi1VAfU5VuwGCxYKF0Tu2yXNutNMg=
-----END CERTIFICATE-----`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwtYHBMTnDPfr8yVE
Pcv9s+GrYo+9/JWJnoemqZ8ORaGhRANCAASTAULlvtbgUV1wGsodWRijPOFW/+rJ
3xvqLlDk0CrS2n7bLI0G3d9BEFatDlkvW9OkImr7mhUn0ilIpzhvqHpX
-----END PRIVATE KEY-----`,
};

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

/** Its port, and how often somebody asked. */
async function listening(listener: RequestListener, tls = false): Promise<{ port: number; asked: () => number }> {
  let asked = 0;
  const counted: RequestListener = (req, res) => {
    asked += 1;
    listener(req, res);
  };
  const server = tls ? createTlsServer(SELF_SIGNED, counted) : createServer(counted);
  server.listen(0);
  await once(server, 'listening');
  opened.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, asked: () => asked };
}

async function post(url: string, anyAddress: boolean) {
  const sending = webhookPost({ anyAddress, timeLimitMilliseconds: TIME_LIMIT_MILLISECONDS });
  opened.push(() => sending.close());
  return sending({ product: 'app', url, secrets: [secret(newSecret())], waits: false }, MESSAGE);
}

describe('what an app may not answer (SECURITY 27)', () => {
  test.each<[string, RequestListener, string]>([
    ['elsewhere', (_req, res) => res.writeHead(307, { location: '/elsewhere' }).end(), 'redirected'],
    ['nothing', () => {}, 'too_slow'],
    ['a drop at a time', (_req, res) => {
      res.writeHead(200).write('{');
      const dripping = setInterval(() => res.write(' '), 50);
      res.on('close', () => clearInterval(dripping));
    }, 'too_slow'],
    ['more than a word', (_req, res) => res.writeHead(200).end('x'.repeat(100_000)), 'answer_too_large'],
    ['that it failed', (_req, res) => res.writeHead(500).end(), 'answered_500'],
    ['that it is gone', (_req, res) => res.writeHead(410).end(), 'answered_410'],
    ['by hanging up', (req) => req.socket.destroy(), 'no_connection'],
  ])('%s', async (_, listener, failure) => {
    const { port, asked } = await listening(listener);
    expect(await post(`http://localhost:${port}/`, true)).toMatchObject({ delivered: false, failure });
    expect(asked()).toBe(1);
  });

  test('under a certificate of its own', async () => {
    const { port, asked } = await listening((_req, res) => res.end(), true);
    expect(await post(`https://localhost:${port}/`, true)).toMatchObject({ delivered: false, failure: 'certificate_refused' });
    expect(asked()).toBe(0);
  });
});

describe('where webhooks never go in production (SECURITY 27)', () => {
  test.each(['localhost', '127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0'])('%s', async (host) => {
    const { port, asked } = await listening((_req, res) => res.end());
    expect(await post(`http://${host}:${port}/`, false)).toMatchObject({ delivered: false, failure: 'private_address' });
    expect(asked()).toBe(0);
  });

  test.each(['10.0.0.1', '192.168.1.1', '169.254.169.254', '[fd00::1]', '[64:ff9b::a00:1]'])('%s', async (host) => {
    expect(await post(`https://${host}/`, false)).toMatchObject({ failure: 'private_address' });
  });

  const SECRET = newSecret();
  const [first] = loadProducts('products.yaml');
  const faultsOf = (url: string, env: Record<string, string>, names = ['A_SECRET'], development = false) => {
    try {
      loadEndpoints(env, [{ ...first, webhook: { url, secret_env: names } }], { development });
    } catch (error) {
      if (error instanceof ConfigError) return error.faults.join('\n');
      throw error;
    }
    return '';
  };

  test.each([
    ['plain http', 'http://app.example.com/', { A_SECRET: SECRET }, /webhook\.url: must be https/],
    ['localhost', 'https://localhost/', { A_SECRET: SECRET }, /must not be localhost/],
    ['a private address', 'https://10.1.2.3/', { A_SECRET: SECRET }, /must not be a private address/],
    ['a secret that is not there', 'https://app.example.com/', {}, /^A_SECRET: is not set/],
    ['a secret that is none', 'https://app.example.com/', { A_SECRET: 'hunter2' }, /^A_SECRET: must be whsec_/],
    ['a short secret', 'https://app.example.com/', { A_SECRET: 'whsec_c2hvcnQ=' }, /^A_SECRET: must be whsec_ and 24 to 64 bytes/],
  ])('%s stops the start, and is named without the secret', (_, url, env, fault) => {
    expect(faultsOf(url, env)).toMatch(fault);
    expect(faultsOf(url, env)).not.toContain('hunter2');
  });

  test('a public https address with its secrets starts; development takes any address', () => {
    expect(faultsOf('https://app.example.com/', { A_SECRET: SECRET })).toBe('');
    expect(faultsOf('http://127.0.0.1:8405/', { A_SECRET: SECRET }, ['A_SECRET'], true)).toBe('');
  });
});
