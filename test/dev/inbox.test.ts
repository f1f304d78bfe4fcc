import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createTransport } from 'nodemailer';
import { openInbox, type Inbox } from '../../dev/inbox/inbox.ts';
import { linksIn, type Message } from '../../dev/inbox/message.ts';

const LINK = 'http://localhost:8400/api/login?invitation_token=abc&next_page=%2F';

let inbox: Inbox;
let page: string;

beforeEach(async () => {
  inbox = await openInbox({ host: '127.0.0.1', smtpPort: 0, httpPort: 0 });
  page = `http://127.0.0.1:${inbox.httpPort}`;
});

afterEach(() => inbox.close());

async function send(subject: string, html = `<p><a href="${LINK.replaceAll('&', '&amp;')}">Go on</a></p><script>alert(1)</script>`): Promise<void> {
  const transport = createTransport(`smtp://127.0.0.1:${inbox.smtpPort}`);
  await transport.sendMail({ from: 'Vestibule <no-reply@vestibule.example>', to: 'ada@example.com', subject, text: `Go on: ${LINK}.`, html });
  transport.close();
}

async function messages(): Promise<Message[]> {
  return (await (await fetch(`${page}/api/messages`)).json()) as Message[];
}

test('a mail sent over SMTP is listed whole', async () => {
  await send('Verify your e-mail · vérifiez');
  const [message] = await messages();
  expect(message).toEqual({
    id: expect.any(String),
    to: 'ada@example.com',
    from: 'no-reply@vestibule.example',
    subject: 'Verify your e-mail · vérifiez',
    text: `Go on: ${LINK}.\n`,
    html: expect.stringContaining('Go on'),
    links: [LINK],
    received_at: expect.any(String),
  });
});

test('the newest mail comes first', async () => {
  await send('first');
  await send('second');
  expect((await messages()).map((one) => one.subject)).toEqual(['second', 'first']);
});

test('DELETE forgets all mails', async () => {
  await send('one');
  const answer = await fetch(`${page}/api/messages`, { method: 'DELETE' });
  expect([answer.status, await messages()]).toEqual([204, []]);
});

describe('the page for people', () => {
  test('lists mails, their addresses escaped', async () => {
    await send('<b>bold</b>');
    const html = await (await fetch(page)).text();
    expect(html).toContain('&lt;b&gt;bold&lt;/b&gt;');
    expect(html).not.toContain('<b>bold</b>');
  });

  test('shows the mail in a sandbox where no script runs', async () => {
    await send('one');
    const [message] = await messages();
    const body = await fetch(`${page}/messages/${message?.id}/body`);
    expect(body.headers.get('content-security-policy')).toMatch(/^sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'/);
    expect(await (await fetch(page)).text()).toMatch(/<iframe [^>]*sandbox="allow-popups allow-popups-to-escape-sandbox"/);
  });

  test('says so when there is none', async () => {
    expect(await (await fetch(page)).text()).toContain('No mail yet');
  });
});

test('a name that somebody else pointed at this machine gets nothing', async () => {
  const { request } = await import('node:http');
  const status = await new Promise((resolve) => {
    request(`${page}/api/messages`, { headers: { Host: 'evil.example' } }, (answer) => resolve(answer.statusCode)).end();
  });
  expect(status).toBe(403);
});

test.each([
  ['an entity in an address', '', '<a href="http://a.example/?x=1&amp;y=2">a</a>', ['http://a.example/?x=1&y=2']],
  ['a full stop after an address', 'See http://a.example/b.', '', ['http://a.example/b']],
  ['an address in brackets', '(http://a.example/b)', '', ['http://a.example/b']],
  ['the same address in both bodies', 'http://a.example/', '<a class="x" href=\'http://a.example/\'>a</a>', ['http://a.example/']],
  ['other schemes', '', '<a href="mailto:a@b.example">a</a><a href="javascript:alert(1)">b</a>', []],
])('links are read from %s', (_, text, html, links) => {
  expect(linksIn(text, html)).toEqual(links);
});
