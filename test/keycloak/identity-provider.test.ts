import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { httpBrowser, type Visit } from '../../platform/http-browser.ts';
import { keycloakAdmin, realmsAdmin } from '../support/keycloak-admin.ts';
import { createPerson, setStamp, freshAddress, type Person } from '../support/person.ts';
import { stack } from '../support/stack.ts';
import { invite, isSignedIn, offerTo, submitForm } from '../support/visitor.ts';
import { createElsewhere, ELSEWHERE, goThrough, openElsewhere, signInThrough } from './support/elsewhere.ts';
import { nowSeconds } from './support/keeper.ts';
import { justBeforeTheEnd } from './support/ways-in.ts';

const PRODUCT = ['vestibule-proxy'];
const HOUR_SECONDS = 3600;

const admin = keycloakAdmin();
let close: () => Promise<void>;

beforeAll(async () => {
  close = await openElsewhere();
});
afterAll(() => close());

test('SECURITY 6: an identity provider makes no account without an invitation', async () => {
  const username = freshAddress('stranger');
  await createElsewhere(username);
  const page = await signInThrough(username);
  expect(page.body).toContain('data-reason="missing"');
  expect(await admin.get(`/users?${new URLSearchParams({ email: username, exact: 'true' })}`)).toEqual([]);
});

/** Through the provider, and with the wish to link, up to the proof that the account is theirs: its password. */
async function askToLink(person: Person): Promise<() => Promise<Visit>> {
  await createElsewhere(person.username);
  const browser = httpBrowser();
  const asked = await signInThrough(person.username, browser);
  expect(isSignedIn(asked)).toBe(false);
  const proof = await browser.submit(asked.form(), { submitAction: 'linkAccount' });
  const others = await browser.submit(proof.form('kc-select-try-another-way-form'));
  const ways = [...others.body.matchAll(/name="authenticationExecution"[^>]*value="([^"]+)"/g)].map(([, id]) => id!);
  const byPassword = ways.at(-1)!;
  const password = await browser.submit(others.form(), { authenticationExecution: byPassword });
  return () => browser.submit(password.form('kc-form-login'), { password: person.password });
}

test('SECURITY 6: an identity is linked only after the account is proven again', async () => {
  const person = await createPerson(PRODUCT, HOUR_SECONDS);
  const prove = await askToLink(person);
  expect(await admin.get(`/users/${person.id}/federated-identity`)).toEqual([]);
  const linked = await prove();
  if (!isSignedIn(linked)) throw new Error(linked.body);
  expect(isSignedIn(await signInThrough(person.username))).toBe(true);
});

/** Whatever comes before the decision, then `end`, then what Keycloak decides on. */
const LOGINS: Record<string, (person: Person, end: () => Promise<void>) => Promise<Visit>> = {
  'the first login, which links': async (person, end) => {
    const prove = await askToLink(person);
    await end();
    return prove();
  },
  'a later login': async (person, end) => {
    await (await askToLink(person))();
    await end();
    return signInThrough(person.username);
  },
};

describe.each(Object.entries(LOGINS))('SECURITY 4: %s through an identity provider', (_, login) => {
  test('is open until the end', async () => {
    const page = await justBeforeTheEnd(async (margin) => {
      const person = await createPerson(PRODUCT, HOUR_SECONDS);
      let end = 0;
      const answer = await login(person, async () => {
        end = nowSeconds() + margin;
        await setStamp(person, PRODUCT, margin);
      });
      return { answer, end };
    });
    if (!isSignedIn(page)) throw new Error(page.body);
  });

  test('is refused a second after it', async () => {
    const person = await createPerson(PRODUCT, HOUR_SECONDS);
    const page = await login(person, () => setStamp(person, PRODUCT, -1));
    expect([isSignedIn(page), page.body]).toEqual([false, expect.stringContaining('Your trial has ended')]);
  });
});

test('an account begins another product’s trial after signing in through the provider: nothing of it is lost', async () => {
  const username = freshAddress('joins');
  const browser = httpBrowser();
  await submitForm(browser, await browser.get(await invite(username, { product: 'lab' })), { 'attributes.team': 'Engines', 'consents.terms': '2' });
  const [user] = await admin.get(`/users?${new URLSearchParams({ username, exact: 'true' })}`);
  await createElsewhere(username);
  const [elsewhere] = await realmsAdmin().get(`/${ELSEWHERE}/users?${new URLSearchParams({ email: username, exact: 'true' })}`);
  await admin.post(`/users/${user.id}/federated-identity/${ELSEWHERE}`, { userId: elsewhere.id, userName: elsewhere.username });
  const link = await offerTo(username, 2);

  const stranger = httpBrowser();
  const login = await stranger.submit(await stranger.get(link));
  expect(login.hops.join()).not.toContain(new URL(link).searchParams.get('t'));
  const page = await goThrough(stranger, login, username);
  if (!isSignedIn(page)) throw new Error(page.body);
  expect(await stranger.json(`${stack().proxy}/whoami`)).toMatchObject({ userId: user.id, trialApp: expect.any(String) });
  const [links, stamps] = [await admin.get(`/users/${user.id}/federated-identity`), (await admin.get(`/users/${user.id}`)).attributes.trial_stamp as string[]];
  expect([links.length, stamps.map((one) => (JSON.parse(one) as { product: string; made: boolean })).map(({ product, made }) => [product, made])]).toEqual([1, [['lab', true], ['app', false]]]);
});
