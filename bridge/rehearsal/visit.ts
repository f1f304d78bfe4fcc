import { randomBytes } from 'node:crypto';
import { formsIn, httpBrowser, type Form, type HttpBrowser, type Visit } from '../../platform/http-browser.ts';

const MOST_PAGES = 4;
const EXCERPT_CHARACTERS = 200;

export interface Session {
  authenticated: boolean;
  trial: { ends_at: number | null; access_until: number | null } | null;
}

export interface Visitor {
  browser: HttpBrowser;
  password: string;
}

export function newVisitor(): Visitor {
  // Of every kind of character that a password policy may ask for.
  return { browser: httpBrowser(), password: `${randomBytes(18).toString('base64url')}-aA1!` };
}

/** Who the proxy says is signed in. */
export function sessionOf(proxyUrl: string, { browser }: Pick<Visitor, 'browser'>): Promise<Session> {
  return browser.json(`${proxyUrl}/api/session`) as Promise<Session>;
}

/** The registration form behind an invitation. Throws with what stands there instead. */
export async function openInvitation({ browser }: Visitor, link: string, address: string): Promise<{ page: Visit; form: Form }> {
  const page = await browser.get(link);
  const form = formWith(page, 'password-confirm');
  if (form === undefined) throw new Error(`the link does not lead to the registration form, but to ${where(page)}`);
  if (!page.body.includes(address)) throw new Error('the form does not name the invited address');
  if ('email' in form.fields || 'username' in form.fields) throw new Error('the address on the form can be changed: the realm registers people without our step');
  return { page, form };
}

/** Fills the form in, and whatever Keycloak asks afterwards. Answers the page at its end. */
export async function register({ browser, password }: Visitor, { page, form }: { page: Visit; form: Form }): Promise<Visit> {
  const empty = Object.fromEntries(Object.entries(form.fields).flatMap(([name, value]) => (value === '' ? [[name, 'Rehearsal']] : [])));
  let at = await browser.submit(form, { ...empty, ...boxesIn(page), password, 'password-confirm': password });
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const asked = formWith(at, 'password-new') ?? formWith(at, 'accept');
    if (asked === undefined) return at;
    at = await browser.submit(asked, 'password-new' in asked.fields ? { 'password-new': password, 'password-confirm': password } : {});
  }
  return at;
}

/** A sign-in by name and password, in a browser that has neither cookies nor history. */
export async function signIn(proxyUrl: string, { password }: Pick<Visitor, 'password'>, username: string): Promise<{ browser: HttpBrowser; page: Visit }> {
  const browser = httpBrowser();
  const login = await browser.get(`${proxyUrl}/api/login`);
  const form = formWith(login, 'password');
  if (form === undefined) throw new Error(`there is no form to sign in with, but ${where(login)}`);
  return { browser, page: await browser.submit(form, { username, password }) };
}

/** Whether Keycloak let somebody through on the way to this page: it gave the proxy a code. */
export function letIn(proxyUrl: string, { hops }: Visit): boolean {
  return hops.some((hop) => hop.startsWith(`${proxyUrl}/api/callback?`) && new URL(hop).searchParams.has('code'));
}

/** In words that carry no token: addresses without their query, and the beginning of what can be read there. */
export function where({ url, status, body }: Visit): string {
  const text = body.replaceAll(/<(script|style|head)\b[\s\S]*?<\/\1>/gi, ' ').replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ').trim();
  return `${url.split(/[?#]/, 1)[0]} (${status}): "${text.slice(0, EXCERPT_CHARACTERS)}"`;
}

function formWith(page: Visit, field: string): Form | undefined {
  return formsIn(page.body, page.url).find(({ fields }) => field in fields);
}

/** Terms and consents are agreed to. */
function boxesIn({ body }: Visit): Record<string, string> {
  const boxes = [...body.matchAll(/<input\b[^>]*\btype="checkbox"[^>]*>/gi)].flatMap(([tag]) => /\bname="([^"]+)"/.exec(tag)?.[1] ?? []);
  return Object.fromEntries(boxes.map((name) => [name, 'on']));
}
