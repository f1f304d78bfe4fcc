import { randomBytes } from 'node:crypto';
import { Browser } from '../../../test/proxy/support/browser.ts';
import { CLIENT, startProvider } from '../../../test/proxy/support/provider.ts';
import type { Service, Stand } from '../../stand.ts';

/** Named by the variable, or on the path; where it is neither, the results say so. */
export const OAUTH2_PROXY = { names: ['oauth2-proxy'], variable: 'OAUTH2_PROXY_BIN' } as const;
const COOKIE_SECRET_BYTES = 32;
const HOURS_SECONDS = 3 * 3_600;
const SESSION_COOKIE = /^_oauth2_proxy(?:_\d+)?$/;

/** Every flag that it is measured with; all others as it ships: the session in its cookie, a log line for each request, as ours. */
function flags({ port, issuer, app }: { port: number; issuer: string; app: string }): readonly string[] {
  return [
    `--http-address=127.0.0.1:${port}`,
    '--provider=oidc',
    `--oidc-issuer-url=${issuer}`,
    `--client-id=${CLIENT.id}`,
    `--client-secret=${CLIENT.secret}`,
    '--code-challenge-method=S256',
    `--redirect-url=http://127.0.0.1:${port}/oauth2/callback`,
    '--skip-provider-button=true',
    '--email-domain=*',
    `--cookie-secret=${randomBytes(COOKIE_SECRET_BYTES).toString('base64url')}`,
    '--cookie-secure=false',
    // What its answers to a gateway say about people; apps behind it hear the same by its defaults.
    '--set-xauthrequest=true',
    `--upstream=${app}`,
  ];
}

/** oauth2-proxy in front of the app, and the Cookie header of each of so many people, who have signed in at it. */
export async function startOauth2Proxy(stand: Stand, file: string, app: string, people: number): Promise<{ service: Service; cookies: readonly string[] }> {
  const provider = await startProvider();
  try {
    provider.misbehave = { expiresIn: HOURS_SECONDS, claims: (claims) => ({ ...claims, exp: Math.floor(Date.now() / 1000) + HOURS_SECONDS }) };
    const service = await stand.startProgram(file, ({ port }) => flags({ port, issuer: provider.issuer, app }), '/ping');
    const cookies: string[] = [];
    for (let n = 0; n < people; n += 1) {
      provider.person = { sub: `user-${n}`, email: `person-${n}@example.com`, name: `Person ${n}`, roles: ['trial-user'] };
      cookies.push(await signIn(service.url));
    }
    return { service, cookies };
  } finally {
    await provider.stop();
  }
}

async function signIn(origin: string): Promise<string> {
  const browser = new Browser(origin);
  const { status } = await browser.follow(await browser.get('/oauth2/start?rd=%2Fping'));
  const cookie = [...browser.cookies].filter(([name]) => SESSION_COOKIE.test(name)).map(([name, value]) => `${name}=${value}`).join('; ');
  if (cookie === '') throw new Error(`oauth2-proxy opened no session: the sign-in ended with ${status}. Sign in by hand at one that has these flags, and read its log.`);
  return cookie;
}
