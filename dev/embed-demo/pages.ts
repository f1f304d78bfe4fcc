import { escapeHtml, page } from '../page.ts';
import type { DemoTrial } from './server.ts';

export function demoPage(trials: readonly DemoTrial[], chosen: DemoTrial | undefined, embed: { token: string; url: string } | undefined): string {
  const choices = trials.map(({ id, username }) => `<li><a href="/?trial=${escapeHtml(id)}">${escapeHtml(username)}</a></li>`).join('');
  const list = choices === '' ? '<p>Nobody has a trial yet: sign up first, then come back.</p>' : `<ul>${choices}</ul>`;
  // The frame is there before its form is sent into it; without script a button sends it.
  const frame = embed
    ? `<h2>The workspace of ${escapeHtml(chosen?.username ?? '')}</h2>
<form id="enter" method="post" action="${escapeHtml(embed.url)}" target="embed"><input type="hidden" name="token" value="${escapeHtml(embed.token)}"><noscript><button>Show it</button></noscript></form>
<iframe name="embed" title="The workspace of ${escapeHtml(chosen?.username ?? '')}"></iframe>
<script>document.getElementById('enter').submit()</script>`
    : '';
  return page({
    title: 'Another web site',
    style: STYLE,
    body: `<main data-testid="embed-demo"><h1>Another web site</h1>
<p>A page of another site, which shows a person's small app in a frame. Its server asked the bridge for a token that works once; the app never sees the person's session.</p>
${list}${frame}</main>`,
  });
}

const STYLE = `
main { max-width: 60rem; margin: 0 auto; padding: clamp(1.5rem, 5vw, 3rem); } h1 { margin: 0 0 .5rem; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .75rem; }
iframe { width: 100%; height: 32rem; border: 1px solid var(--line); border-radius: .9rem; background: #fff; }
`;
