import { describe, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { httpBrowser } from '../../../platform/http-browser.ts';
import { keycloakAdmin } from '../../support/keycloak-admin.ts';
import { freshAddress } from '../../support/person.ts';
import { inbox, logOf, stack } from '../../support/stack.ts';
import { invite, isSignedIn, submitForm } from '../../support/visitor.ts';

const admin = keycloakAdmin();

/** What Keycloak's profile says of a name: these it refuses, and shows again as it was typed. */
const REFUSED: readonly [string, string][] = [
  ['a FreeMarker directive', '<#assign x="freemarker.template.utility.Execute"?new()>${x("id")}'],
  ['a FreeMarker expression', '${"freemarker.template.utility.ObjectConstructor"?new()}'],
  ['a property of Keycloak', '${kcSanitize(7*7)}'],
  ['a message of the theme', '${msg("doLogIn")}'],
  ['a template of EJS or eta', '<%= 7*7 %>'],
  ['a template in braces', '{{7*7}}'],
  ['an expression', '#{7*7}'],
  ['a script', '<script>alert(7*7)</script>'],
  ['an end of an attribute', '"><img src=x onerror=alert(1)>'],
  ['an end of an attribute, single', "'><svg onload=alert(1)>"],
  ['an entity', '&lt;b&gt;'],
  ['a line break and a header', 'Ada\r\nBcc: eve@example.com'],
  ['a line feed and a header', 'Ada\nX-User-Roles: staff'],
  ['a null byte', 'Ada\0Eve'],
  ['a colour of the terminal', '\u001B[31mAda'],
  ['a line of log', 'Ada\n2026-11-21 00:00:00,000 INFO  [forged] Eve'],
  ['a line separator of Unicode', 'Ada\u2028Eve'],
  ['256 characters', 'x'.repeat(256)],
];

/** And these it takes: plain text wherever they appear. */
const TAKEN: readonly [string, string][] = [
  ['an apostrophe and a hyphen', "O'Brien-Smith"],
  ['other letters', 'Ægir 李 Ωmega'],
  ['a text that turns direction', '\u202Eadá\u202C'],
  ['a message format', "it''s '0'"],
  ['options of a program', 'Ada -s -n'],
  ['a link', 'www.evil.example'],
  ['255 characters', 'x'.repeat(255)],
];

const mailTo = async (address: string) => (await inbox.messages()).filter(({ to }) => to === address);
const evaluated = /\b49\b|freemarker\.template|Exception|\[object Object\]/;

const ONE_EVENT = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \w+ +\[org\.keycloak\.events\]/;
const inOneLine = (text: string | undefined) => text?.replaceAll(/[\r\n]+/g, ' ');

/** Ours log no name; Keycloak's events do, each in one line that Keycloak began. */
function linesThatShouldNotBe(text: string): string[] {
  const holding = (part: 'keycloak' | 'bridge' | 'proxy') => logOf(part).split('\n').filter((line) => line.includes(text));
  return [...holding('bridge'), ...holding('proxy'), ...holding('keycloak').filter((line) => !ONE_EVENT.test(line))];
}

describe('in a first and last name of the registration form', () => {
  test.each(REFUSED)('%s is refused, and shown again as the text it is', async (_, name) => {
    const address = freshAddress('ada');
    const browser = httpBrowser();
    const form = await browser.get(await invite(address));
    const again = await submitForm(browser, form, { firstName: name, lastName: name });
    expect([again.status, isSignedIn(again)]).toEqual([200, false]);
    const { fields } = again.form('kc-register-form');
    expect([inOneLine(fields['firstName']), inOneLine(fields['lastName'])]).toEqual([inOneLine(name), inOneLine(name)]);
    for (const markup of ['<script>alert', '<img src=x', '<svg onload', '<#assign']) expect(again.body).not.toContain(markup);
    expect(again.body.replaceAll(/value="[^"]*"/g, '')).not.toMatch(evaluated);
    expect([...again.headers.keys()]).not.toEqual(expect.arrayContaining(['bcc', 'x-user-roles']));
    expect(await admin.get(`/users?${new URLSearchParams({ username: address, exact: 'true' })}`)).toEqual([]);
  });

  test.each(TAKEN)('%s is taken, and is plain text for the app, in pages, mails and logs', async (_, name) => {
    const address = freshAddress('ada');
    const browser = httpBrowser();
    const page = await submitForm(browser, await browser.get(await invite(address)), { firstName: name, lastName: name });
    expect(isSignedIn(page)).toBe(true);
    const [user] = await admin.get(`/users?${new URLSearchParams({ username: address, exact: 'true' })}`);
    expect([user.firstName, user.lastName]).toEqual([name, name]);
    const escaped = name.replaceAll("'", '&#39;');
    expect(page.body.includes(`${escaped} ${escaped}`) || page.body.includes(`${name} ${name}`)).toBe(true);
    expect((await browser.json(`${stack().proxy}/api/session`)).user.name).toBe(`${name} ${name}`);

    const asking = httpBrowser();
    const ask = await asking.get((await asking.get(`${stack().proxy}/api/login`)).link(/reset-credentials/));
    await asking.submit(ask.form('kc-reset-password-form'), { username: address });
    const mails = await eventually(async () => {
      const all = await mailTo(address);
      return all.length >= 2 ? all : undefined;
    });
    for (const mail of mails) expect(`${mail.subject} ${mail.from} ${mail.to} ${mail.text} ${mail.html}`).not.toContain(name);
    expect(linesThatShouldNotBe(name)).toEqual([]);
  });

  test('a log has no line that a name began', async () => {
    const address = freshAddress('ada');
    const mark = address.split('@')[0]!;
    const browser = httpBrowser();
    await submitForm(browser, await browser.get(await invite(address)), { firstName: `Ada\r\n${mark}-first`, lastName: `\n${mark}-last` });
    expect([...linesThatShouldNotBe(`${mark}-first`), ...linesThatShouldNotBe(`${mark}-last`)]).toEqual([]);
  });
});

describe('in the name of an invitation', () => {
  const PREFILLED = REFUSED.filter(([, name]) => name.length < 100 && !/\p{Cc}|\p{Zl}/u.test(name));

  test.each([...PREFILLED, ...TAKEN.filter(([, name]) => name.length < 100)])('%s is filled in as text', async (_, name) => {
    const address = freshAddress('ada');
    const page = await httpBrowser().get(await invite(address, { firstname: name, lastname: name }));
    const { fields } = page.form('kc-register-form');
    expect([fields['firstName'], fields['lastName']]).toEqual([name, name]);
    expect(page.body.replaceAll(/value="[^"]*"/g, '')).not.toMatch(evaluated);
    for (const mail of await mailTo(address)) expect(`${mail.subject} ${mail.text} ${mail.html}`).not.toContain(name);
    expect(linesThatShouldNotBe(name)).toEqual([]);
  });
});
