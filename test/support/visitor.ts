import { httpBrowser, type HttpBrowser, type Visit } from '../../platform/http-browser.ts';
import { inbox, stack } from './stack.ts';

export const PASSWORD = 'a long pass phrase';

/** The seed's curl, with its origin changed. */
export async function register(username: string, fields: Record<string, unknown> = {}): Promise<Response> {
  return fetch(`${stack().proxy}/api/legacy/trial/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, ...fields }),
  });
}

/** Registers an address and reads the link that comes by mail. */
export async function invite(username: string, fields: Record<string, unknown> = {}): Promise<string> {
  const answer = await register(username, fields);
  if (answer.status !== 202) throw new Error(`register answered ${answer.status}: ${await answer.text()}`);
  const mail = await inbox.waitForMail(username);
  const link = mail.links.find((one) => one.includes('invitation_token='));
  if (link === undefined) throw new Error(`no invitation in the mail "${mail.subject}"`);
  return link;
}

/** Registers the address of an account that has no trial of that product, and reads the link that offers one; `mails`: how many come to it by then. */
export async function offerTo(username: string, mails: number, fields: Record<string, unknown> = {}): Promise<string> {
  const answer = await register(username, fields);
  if (answer.status !== 202) throw new Error(`register answered ${answer.status}: ${await answer.text()}`);
  const mail = await inbox.waitForMail(username, mails);
  const link = mail.links.find((one) => one.includes('/trial/join?'));
  if (link === undefined) throw new Error(`no offer in the mail "${mail.subject}"`);
  return link;
}

/** Submits the registration form as a browser would: a disabled field is not posted. */
export async function submitForm(browser: HttpBrowser, form: Visit, values: Record<string, string> = {}): Promise<Visit> {
  return browser.submit(form.form('kc-register-form'), { firstName: 'Ada', lastName: 'Lovelace', password: PASSWORD, 'password-confirm': PASSWORD, ...values });
}

/** From the mail's link to the sample app. */
export async function signUp(link: string, browser = httpBrowser(), password = PASSWORD): Promise<{ browser: HttpBrowser; page: Visit }> {
  return { browser, page: await submitForm(browser, await browser.get(link), { password, 'password-confirm': password }) };
}

export function isSignedIn(page: Visit): boolean {
  return page.status === 200 && new URL(page.url).origin === stack().proxy && page.body.includes('data-testid="sample-app"');
}
