import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '../../dev/ports.ts';
import { eventually } from '../support/eventually.ts';
import { httpBrowser, type HttpBrowser, type Visit } from '../../platform/http-browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { freshAddress } from '../support/person.ts';
import { startProxyReplica, type ProxyReplica } from '../support/proxy-replica.ts';
import { inbox, queryDatabase, stack } from '../support/stack.ts';
import { STACK_VARIABLE } from '../support/stack-variable.ts';
import { invite, offerTo, PASSWORD, submitForm } from '../support/visitor.ts';

/** Two products of one realm (test/support/products.yaml), each behind a site of its own: an end of one leaves the other alone. */
const LAB_SECRET = randomBytes(16).toString('hex');
const DAY = 86_400;
const ANSWERS = { 'attributes.team': 'Engines', 'consents.terms': '2' };
const XHR = { accept: 'application/json', 'sec-fetch-mode': 'cors' };

const admin = keycloakAdmin();
const proxySecret = parseEnv(readFileSync(join(dirname(process.env[STACK_VARIABLE] ?? ''), 'proxy.env'), 'utf8'))['PROXY_CLIENT_SECRET'] ?? '';

interface Place {
  site: string;
  clientId: string;
  secret: string;
}
let app: Place;
let lab: Place;
let replica: ProxyReplica;
let madeClient: string;

beforeAll(async () => {
  const port = await freePort();
  app = { site: stack().proxy, clientId: 'vestibule-proxy', secret: proxySecret };
  lab = { site: `http://127.0.0.1:${port}`, clientId: 'vestibule-lab', secret: LAB_SECRET };
  madeClient = await admin.create('/clients', await clientLike('vestibule-proxy', lab));
  const issuer = `${stack().keycloak}/realms/${stack().realm}`;
  const sites = [app, lab].map(({ site, clientId }, at) => ({ public_url: site, issuer, client_id: clientId, client_secret_variable: at === 0 ? 'PROXY_CLIENT_SECRET' : 'LAB_SECRET', upstreams: [{ to: stack().app }] }));
  replica = await startProxyReplica({ PROXY_PORT: String(port), PROXY_SITES: JSON.stringify({ sites }), LAB_SECRET });
});
afterAll(async () => {
  await replica.stop();
  await admin.delete(`/clients/${madeClient}`);
});

/** Another client with all that the proxy's has, at another site. */
async function clientLike(clientId: string, { site, clientId: name, secret }: Place) {
  const [{ id: _id, protocolMappers, attributes, ...client }] = await admin.get(`/clients?clientId=${clientId}`);
  return {
    ...client,
    clientId: name,
    secret,
    serviceAccountsEnabled: false,
    rootUrl: site,
    baseUrl: `${site}/api/login/resume`,
    redirectUris: [`${site}/api/callback`, `${site}/api/login`],
    attributes: { ...attributes, 'post.logout.redirect.uris': `${site}/api/logout/done`, 'backchannel.logout.url': `${site}/api/logout/back-channel` },
    protocolMappers: protocolMappers.map(({ id: _own, ...mapper }: { id: string }) => mapper),
  };
}

const isIn = (page: Visit, { site }: Place) => page.status === 200 && new URL(page.url).origin === site && page.body.includes('data-testid="sample-app"');
const atSite = (link: string, { site }: Place) => link.replace(stack().proxy, site);
const statusAt = async ({ site }: Place, browser: HttpBrowser) => (await browser.get(`${site}/whoami`, XHR)).status;

/** Follows an invitation to the product at its own site, and answers who came in. */
async function signUpAt(place: Place, product: string, values: Record<string, string> = {}) {
  const address = freshAddress(product);
  const browser = httpBrowser();
  const page = await submitForm(browser, await browser.get(atSite(await invite(address, { product }), place)), values);
  expect(isIn(page, place)).toBe(true);
  const { userId } = await browser.json(`${place.site}/whoami`);
  return { address, browser, userId: String(userId) };
}

async function signIn({ site }: Place, address: string, browser = httpBrowser()): Promise<Visit> {
  const page = await browser.get(`${site}/api/login`);
  return page.body.includes('kc-form-login') ? browser.submit(page.form('kc-form-login'), { username: address, password: PASSWORD }) : page;
}

async function trialsOf(userId: string) {
  const rows = await queryDatabase('select product, extract(epoch from trial_ends_at)::int as ends, extract(epoch from trial_access_until)::int as until, path from bridge.trial join bridge.trial_app on trial_id = bridge.trial.id where user_id = $1 order by product', [userId]);
  return rows as { product: string; ends: number; until: number; path: string }[];
}

type Stamp = Record<string, unknown> & { product: string; trial_ends_at: number; trial_access_until: number };
async function stampsOf(userId: string): Promise<Stamp[]> {
  return ((await admin.get(`/users/${userId}`)).attributes.trial_stamp as string[]).map((stamp) => JSON.parse(stamp) as Stamp);
}
async function setStamps(userId: string, stamps: readonly Stamp[]): Promise<void> {
  const user = await admin.get(`/users/${userId}`);
  await admin.put(`/users/${userId}`, { ...user, attributes: { ...user.attributes, trial_stamp: stamps.map((stamp) => JSON.stringify(stamp)) } });
}

/** By the mail to the account of the lab: the sign-in service knows the person already, and asks nothing. */
async function joinApp(address: string, browser: HttpBrowser): Promise<Visit> {
  const page = await browser.get(await offerTo(address, 2));
  expect(page.body).toContain('Start your trial of Vestibule sample app');
  return browser.submit(page);
}

/** In Postgres, which tells the proxies, and in the stamp, by which Keycloak judges tokens. */
async function endNow(userId: string, product: string): Promise<void> {
  await queryDatabase("update bridge.trial set trial_ends_at = now() - interval '1 second', trial_access_until = now() - interval '1 second' where user_id = $1 and product = $2", [userId, product]);
  const past = Math.floor(Date.now() / 1000) - 1;
  await setStamps(userId, (await stampsOf(userId)).map((stamp) => (stamp.product === product ? { ...stamp, trial_ends_at: past, trial_access_until: past } : stamp)));
}

const tokenUrl = () => `${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/token`;
async function askTokens({ clientId, secret }: Place, parameters: Record<string, string>): Promise<{ status: number; body: Record<string, string> }> {
  const answer = await fetch(tokenUrl(), { method: 'POST', body: new URLSearchParams({ client_id: clientId, client_secret: secret, ...parameters }) });
  return { status: answer.status, body: (await answer.json()) as Record<string, string> };
}
/** Tokens of this client for whoever signs in, taken in its place. */
async function tokensAt(place: Place, address: string): Promise<Record<string, string>> {
  const callback = `${place.site}/api/callback`;
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const query = new URLSearchParams({ client_id: place.clientId, redirect_uri: callback, response_type: 'code', scope: 'openid', code_challenge: challenge, code_challenge_method: 'S256' });
  const browser = httpBrowser({ follow: (url) => !url.href.startsWith(callback) });
  const form = await browser.get(`${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/auth?${query}`);
  const page = await browser.submit(form.form('kc-form-login'), { username: address, password: PASSWORD });
  const { status, body } = await askTokens(place, { grant_type: 'authorization_code', code: new URL(page.url).searchParams.get('code') ?? '', redirect_uri: callback, code_verifier: verifier });
  expect(status).toBe(200);
  return body;
}
const refresh = (place: Place, tokens: Record<string, string>) => askTokens(place, { grant_type: 'refresh_token', refresh_token: tokens['refresh_token'] ?? '' });
const claimsIn = (token = '') => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

test('two people, one for each: client, length, mail, small app and questions are those of their product', async () => {
  const [ada, grace] = [await signUpAt(app, 'app'), await signUpAt(lab, 'lab', ANSWERS)];
  const [[ofApp], [ofLab]] = [await trialsOf(ada.userId), await trialsOf(grace.userId)];
  expect([ofApp?.product, (ofApp?.until ?? 0) - (ofApp?.ends ?? 0)]).toEqual(['app', 3 * DAY]);
  expect([ofLab?.product, (ofLab?.until ?? 0) - (ofLab?.ends ?? 0)]).toEqual(['lab', 0]);
  expect((ofApp?.ends ?? 0) - (ofLab?.ends ?? 0)).toBeGreaterThan(7 * DAY - 300);
  expect([ofApp?.path, ofLab?.path]).toEqual([expect.stringMatching(/^\/apps\//), expect.stringMatching(/^\/benches\//)]);
  expect([(await stampsOf(ada.userId))[0]?.['clients'], (await stampsOf(grace.userId))[0]?.['clients']]).toEqual([['vestibule-proxy'], ['vestibule-lab']]);
  const [mailOfAda, mailOfGrace] = [await inbox.waitForMail(ada.address), await inbox.waitForMail(grace.address)];
  expect(mailOfGrace).toMatchObject({ subject: 'Your bench in the Lab', from: expect.stringContaining('lab@example.com') });
  expect([mailOfAda.subject, mailOfAda.from]).not.toEqual([mailOfGrace.subject, mailOfGrace.from]);
  expect(await grace.browser.json(`${lab.site}/whoami`)).toMatchObject({ userId: grace.userId, trialApp: expect.any(String) });

  // The end of one person's trial of one product is nothing to the other.
  await endNow(grace.userId, 'lab');
  await eventually(async () => (await statusAt(lab, grace.browser)) === 401);
  expect(await statusAt(app, ada.browser)).toBe(200);
});

test('one person with both: the end of one is refused everywhere at its client, and the other goes on', async () => {
  const { address, browser, userId } = await signUpAt(lab, 'lab', ANSWERS);
  const [before] = await stampsOf(userId);
  expect(isIn(await joinApp(address, browser), app)).toBe(true);
  expect(await browser.json(`${app.site}/whoami`)).toMatchObject({ userId, trialApp: expect.any(String) });
  expect(await stampsOf(userId)).toEqual([before, expect.objectContaining({ product: 'app', made: false, version: 1 })]);
  const [tokensOfApp, tokensOfLab] = [await tokensAt(app, address), await tokensAt(lab, address)];
  const ends = new Map((await stampsOf(userId)).map((stamp) => [stamp.product, stamp.trial_ends_at]));
  expect([claimsIn(tokensOfApp['access_token'])['trial_ends_at'], claimsIn(tokensOfLab['access_token'])['trial_ends_at']]).toEqual([ends.get('app'), ends.get('lab')]);
  expect([(await refresh(app, tokensOfApp)).status, (await refresh(lab, tokensOfLab)).status]).toEqual([200, 200]);

  await endNow(userId, 'lab');
  await eventually(async () => (await statusAt(lab, browser)) === 401);
  const refused = await refresh(lab, tokensOfLab);
  expect([refused.status, refused.body['error']]).toEqual([400, 'invalid_grant']);
  expect((await signIn(lab, address)).body).toContain('Your trial has ended');

  expect(await statusAt(app, browser)).toBe(200);
  expect((await refresh(app, tokensOfApp)).status).toBe(200);
  expect(isIn(await signIn(app, address), app)).toBe(true);
});

test('a session of one site is worth nothing at the other (SECURITY.md 22)', async () => {
  const { browser } = await signUpAt(lab, 'lab', ANSWERS);
  const cookie = Object.entries(browser.cookies(lab.site)).map((one) => one.join('=')).join('; ');
  expect((await fetch(`${lab.site}/whoami`, { headers: { ...XHR, cookie } })).status).toBe(200);
  expect((await fetch(`${app.site}/whoami`, { headers: { ...XHR, cookie } })).status).toBe(401);
});
