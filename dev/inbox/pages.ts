import { escapeHtml, page } from '../page.ts';
import type { Message } from './message.ts';

export function inboxPage(messages: readonly Message[], chosen: Message | undefined): string {
  return page({
    title: 'Inbox',
    style: STYLE,
    bodyAttributes: ` data-newest="${messages[0]?.id ?? ''}"`,
    body: `
<header>
  <h1>Inbox</h1>
  <p>${messages.length === 0 ? 'Every mail of this stack lands here; none is delivered.' : `${messages.length} ${messages.length === 1 ? 'mail' : 'mails'}, none delivered`}</p>
  ${messages.length > 0 ? '<button id="clear" type="button">Delete all</button>' : ''}
</header>
<main>
  ${chosen ? `<nav aria-label="Mails"><ol>${messages.map((one) => entry(one, one === chosen)).join('')}</ol></nav>${reading(chosen)}` : EMPTY}
</main>
<script src="/refresh.js" defer></script>`,
  });
}

function entry(message: Message, current: boolean): string {
  return `<li><a href="/?id=${message.id}"${current ? ' aria-current="true"' : ''}>
  <span class="line"><strong>${escapeHtml(message.to)}</strong><time datetime="${message.received_at}">${message.received_at.slice(11, 16)}</time></span>
  <span class="subject">${escapeHtml(message.subject || 'No subject')}</span>
  <span class="start">${escapeHtml(message.text.replaceAll(/\s+/g, ' ').slice(0, 90))}</span></a></li>`;
}

function reading(message: Message): string {
  const links = message.links.map((link) => `<li><a href="${escapeHtml(link)}" target="_blank" rel="noreferrer">${escapeHtml(link)}</a></li>`).join('');
  return `<article>
  <h2>${escapeHtml(message.subject || 'No subject')}</h2>
  <dl><dt>From</dt><dd>${escapeHtml(message.from)}</dd><dt>To</dt><dd>${escapeHtml(message.to)}</dd><dt>Received</dt><dd>${message.received_at.slice(0, 19).replace('T', ' ')} UTC</dd></dl>
  <iframe title="The mail" sandbox="allow-popups allow-popups-to-escape-sandbox" src="/messages/${message.id}/body"></iframe>
  ${links ? `<details><summary>Links in this mail (${message.links.length})</summary><ul>${links}</ul></details>` : ''}
  <details><summary>As plain text</summary><pre>${escapeHtml(message.text)}</pre></details>
</article>`;
}

/** What the frame shows: the mail's own HTML, its links opening outside of it. */
export function bodyPage(message: Message): string {
  const html = message.html || `<pre style="white-space:pre-wrap;font:15px/1.5 system-ui,sans-serif;margin:1.5rem">${escapeHtml(message.text)}</pre>`;
  return `<!doctype html><base target="_blank">${html}`;
}

const EMPTY = `<div class="empty"><h2>No mail yet</h2><p>Register an address, and the invitation appears here within a second or two.</p></div>`;

const STYLE = `
body { display: grid; grid-template-rows: auto 1fr; height: 100vh; }
header { display: flex; align-items: baseline; gap: 1rem; padding: .9rem 1.5rem; background: var(--ink); color: #fff; }
header h1 { font-size: 1.1rem; margin: 0; } header p { margin: 0; color: #cbd5e1; flex: 1; font-size: .9rem; }
main { display: grid; grid-template-columns: minmax(16rem, 24rem) 1fr; min-height: 0; }
nav { overflow-y: auto; border-right: 1px solid var(--line); background: #fff; }
nav ol { list-style: none; margin: 0; padding: 0; }
nav a { display: grid; gap: .15rem; padding: .8rem 1.25rem; border-bottom: 1px solid var(--line); border-left: 3px solid transparent; color: inherit; text-decoration: none; }
nav a:hover { background: #f8fafc; } nav a[aria-current] { background: var(--tint); border-left-color: var(--brand); }
.line { display: flex; justify-content: space-between; gap: 1rem; } .line strong { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
time, .start { color: var(--soft); font-size: .85rem; } .start { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
article { display: grid; grid-template-rows: auto auto 1fr auto auto; gap: .75rem; padding: 1.25rem 1.5rem; min-height: 0; min-width: 0; overflow-y: auto; }
article h2 { margin: 0; font-size: 1.35rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; margin: 0; font-size: .9rem; } dt { color: var(--soft); } dd { margin: 0; }
iframe { width: 100%; min-height: 24rem; height: 100%; border: 1px solid var(--line); border-radius: .6rem; background: #fff; }
details { font-size: .9rem; } details ul { padding-left: 1.1rem; } details a { overflow-wrap: anywhere; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.empty { grid-column: 1 / -1; place-self: center; text-align: center; padding: 2rem; color: var(--soft); } .empty h2 { color: var(--ink); }
header button { background: transparent; color: #fff; border: 1px solid #64748b; }
@media (max-width: 46rem) { body { height: auto; } main { grid-template-columns: 1fr; } nav { border-right: 0; max-height: 40vh; } iframe { height: 70vh; } }
`;
