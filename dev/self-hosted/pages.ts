import { escapeHtml, page } from '../page.ts';
import type { DemoPerson } from './people.ts';

interface Home {
  person: DemoPerson | undefined;
  people: readonly DemoPerson[];
  next: string | undefined;
  serverLoginUrl: string;
  serverId: string;
  serverKey: string;
}

export function homePage({ person, people, next, serverLoginUrl, serverId, serverKey }: Home): string {
  const nextField = next === undefined ? '' : `<input type="hidden" name="next" value="${escapeHtml(next)}">`;
  const choices = people.map((one) => `<button name="as" value="${one.id}">${escapeHtml(one.full_name)}${one.owner ? '' : ' (may not manage billing)'}</button>`).join(' ');
  const menu = person
    ? `<p>You are <strong>${escapeHtml(person.full_name)}</strong>, ${escapeHtml(person.email)}.</p>
<p class="menu"><a class="button" href="/self-hosted-billing/">Billing</a> <a href="/self-hosted-billing/?next_page=plans">Plans</a> <a href="/self-hosted-billing/?next_page=upgrade">Upgrade</a></p>`
    : '<p>Nobody is signed in.</p>';
  return page({
    title: 'A self-hosted server',
    style: STYLE,
    body: `<main data-testid="self-hosted"><h1>A self-hosted server</h1>
<p>A product that somebody runs at home, with the organization “Analytical Society”. Its billing is done by Vestibule; the mails land in the inbox.</p>
<section><h2>Your account here</h2>${menu}
<form method="post" action="/sign-in">${nextField}<p>Sign in as ${choices} <button name="as" value="">nobody</button></p></form></section>
<section><h2>The whole server</h2><p>Whoever runs it signs in with its id and key: <a href="${escapeHtml(serverLoginUrl)}">${escapeHtml(serverLoginUrl)}</a></p>
<dl><dt>Server id</dt><dd><code id="server-id">${escapeHtml(serverId)}</code></dd><dt>Server key (of this demo only)</dt><dd><code id="server-key">${escapeHtml(serverKey)}</code></dd></dl></section></main>`,
  });
}

const STYLE = `
main { max-width: 46rem; margin: 0 auto; padding: clamp(1.5rem, 5vw, 3rem); } h1 { margin: 0 0 .5rem; } h2 { font-size: 1.1rem; margin: 0 0 .75rem; }
section { background: #fff; border: 1px solid var(--line); border-radius: .9rem; padding: 1.4rem; margin-top: 1.25rem; }
.menu { display: flex; gap: 1.25rem; align-items: center; } .button { padding: .5rem 1.2rem; border-radius: .6rem; background: var(--brand); color: #fff; text-decoration: none; font-weight: 600; }
dt { color: var(--soft); font-size: .92rem; } dd { margin: 0 0 .75rem; overflow-wrap: anywhere; }
`;
