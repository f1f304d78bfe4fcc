import { escapeHtml, page } from '../page.ts';
import type { Identity } from './identity.ts';
import type { ToldEvent } from './webhooks.ts';

const DAY_MS = 86_400_000;

export function dashboardPage(identity: Identity): string {
  const trial = identity.trialApp
    ? `<a class="card lead" href="/apps/${encodeURIComponent(identity.trialApp)}">
    <span class="kind">Your small app</span><strong>Trial workspace</strong><span>${escapeHtml(shortId(identity.trialApp))}</span><span class="go">Open →</span></a>`
    : '<div class="card"><span class="kind">No trial</span><strong>You have no small app here</strong><span>Start a trial to get one.</span></div>';
  return frame('Home', identity, `
<h1>Hello, ${escapeHtml(identity.name)}</h1>
<p class="under">You are signed in. This app knows you by the headers the proxy sends, and by nothing else.</p>
<section class="cards" aria-label="Overview">
  ${trial}
  <div class="card"><span class="kind">Trial</span><strong>${remaining(identity)}</strong><span>${ends(identity)}</span></div>
  <div class="card"><span class="kind">Roles</span><strong>${identity.roles.length}</strong><span>${escapeHtml(identity.roles.join(', ')) || 'none'}</span></div>
</section>
<section class="panel"><h2>What the proxy says about you</h2><table><tbody>${facts(identity)}</tbody></table></section>
<p><a href="/told">What this app was told about you by webhooks</a></p>`);
}

export function smallAppPage(identity: Identity): string {
  const bars = [38, 52, 44, 67, 59, 78, 92].map((height, day) => `<span style="height:${height}%"><i>${'MTWTFSS'[day]}</i></span>`).join('');
  return frame('Trial workspace', identity, `<div data-testid="small-app">
${identity.framed ? '' : '<p class="crumb"><a href="/">Home</a> / Trial workspace</p>'}
<h1>This is your small app</h1>
<p class="under">It was made when your account was made, and opens for you alone: <code>${escapeHtml(identity.trialApp ?? '')}</code></p>
<section class="cards" aria-label="Overview">
  <div class="card"><span class="kind">Permissions</span><strong>View, edit</strong><span>for the length of your trial</span></div>
  <div class="card"><span class="kind">Trial</span><strong>${remaining(identity)}</strong><span>${ends(identity)}</span></div>
</section>
<section class="panel"><h2>Visitors this week</h2><div class="bars" role="img" aria-label="Visitors per day, sample data">${bars}</div></section></div>`);
}

export function toldPage(identity: Identity, told: readonly ToldEvent[]): string {
  const rows = told.map(({ type, at, state }) => `<tr><th scope="row">${escapeHtml(type)}</th><td>${escapeHtml(at.toISOString())}</td><td>${escapeHtml(state)}</td></tr>`).join('');
  return frame('What this app was told', identity, `
<p class="crumb"><a href="/">Home</a> / What this app was told</p>
<h1>What this app was told about you</h1>
<p class="under">By webhooks, each with a signature that this app has verified.</p>
<section class="panel"><table><thead><tr><th scope="col">Event</th><th scope="col">Time</th><th scope="col">State</th></tr></thead><tbody>${rows}</tbody></table></section>`);
}

export function notYoursPage(identity: Identity): string {
  const way = identity.trialApp ? `<p><a class="button" href="/apps/${encodeURIComponent(identity.trialApp)}">Open your own</a></p>` : '<p><a class="button" href="/">Back to the start</a></p>';
  return frame('Not yours', identity, `<div class="notice"><span class="code">403</span><h1>This small app belongs to somebody else</h1><p>You are signed in as ${escapeHtml(identity.email)}, and it is not among what you may open.</p>${way}</div>`);
}

export function unknownPage(): string {
  return frame('Sign in', undefined, `<div class="notice"><span class="code">401</span><h1>Who is there?</h1><p>This app is reached through the proxy, which says who is asking. This request came without a word.</p></div>`);
}

export function contactPage(): string {
  return frame('Contact', undefined, `<div class="notice"><h1>Talk to us</h1><p>Your trial has ended, or is about to? Write to <a href="mailto:sales@vestibule.example">sales@vestibule.example</a> and keep what you have built.</p></div>`);
}

function frame(title: string, identity: Identity | undefined, body: string): string {
  const person = identity
    ? `<div class="person"><span class="avatar" aria-hidden="true">${escapeHtml(identity.name.slice(0, 1).toUpperCase())}</span><span class="email">${escapeHtml(identity.email)}</span><a href="/api/logout">Sign out</a></div>`
    : '';
  return page({
    title: `${title} · Sample app`,
    style: STYLE,
    body: `${identity?.framed ? '' : `<header><a class="brand" href="/"><span aria-hidden="true">◆</span> Sample app</a>${person}</header>`}<main data-testid="sample-app">${body}</main>`,
  });
}

function facts(identity: Identity): string {
  const rows = [
    ['X-User', identity.userId],
    ['X-User-Email', identity.email],
    ['X-User-Name', identity.name],
    ['X-User-Roles', identity.roles.join(', ')],
    ['X-Trial-App', identity.trialApp ?? ''],
    ['X-Trial-State', identity.trialState],
    ['X-Trial-Ends-At', identity.trialEndsAt?.toISOString() ?? ''],
  ];
  return rows.map(([name = '', value = '']) => `<tr><th scope="row">${name}</th><td>${escapeHtml(value) || '–'}</td></tr>`).join('');
}

function remaining({ trialEndsAt, trialState }: Identity): string {
  if (!trialEndsAt) return 'No end';
  const days = Math.ceil((trialEndsAt.getTime() - Date.now()) / DAY_MS);
  if (days <= 0) return trialState === 'grace' ? 'Ended: days of grace' : 'Ended';
  return days === 1 ? '1 day left' : `${days} days left`;
}

function ends({ trialEndsAt }: Identity): string {
  return trialEndsAt ? `until ${trialEndsAt.toLocaleDateString('en', { dateStyle: 'long', timeZone: 'UTC' })}` : 'not on trial';
}

function shortId(id: string): string {
  return id.length > 13 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
}

const STYLE = `
header { display: flex; align-items: center; justify-content: space-between; gap: 1rem; padding: .8rem clamp(1rem, 4vw, 2.5rem); background: #fff; border-bottom: 1px solid var(--line); }
.brand { font-weight: 700; color: var(--ink); text-decoration: none; } .brand span { color: var(--brand); }
.person { display: flex; align-items: center; gap: .75rem; font-size: .95rem; min-width: 0; } .email { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--soft); }
.person a { white-space: nowrap; }
.avatar { flex: none; display: grid; place-items: center; width: 2rem; height: 2rem; border-radius: 50%; background: var(--brand); color: #fff; font-weight: 600; }
main { max-width: 62rem; margin: 0 auto; padding: clamp(1.5rem, 5vw, 3rem) clamp(1rem, 4vw, 2.5rem); }
h1 { font-size: clamp(1.5rem, 4vw, 2rem); line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 0 0 1rem; }
.under, .crumb { color: var(--soft); margin: 0 0 1.75rem; } .crumb { margin-bottom: .5rem; font-size: .9rem; } code { font-size: .85em; overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 1rem; margin-bottom: 1.5rem; }
.card, .panel, .notice { background: #fff; border: 1px solid var(--line); border-radius: .9rem; box-shadow: 0 1px 2px #0f172a0d; }
.card { display: grid; gap: .2rem; align-content: start; padding: 1.2rem 1.3rem; color: inherit; text-decoration: none; overflow-wrap: anywhere; }
.card strong { font-size: 1.25rem; } .card span { color: var(--soft); font-size: .92rem; }
.card .kind { font-size: .78rem; font-weight: 600; letter-spacing: .04em; text-transform: uppercase; }
.card.lead { background: linear-gradient(135deg, #4338ca, #6d28d9); border-color: transparent; color: #fff; } .card.lead span { color: #e0e7ff; } .card.lead .go { margin-top: .6rem; color: #fff; font-weight: 600; }
.panel { padding: 1.4rem; } table { width: 100%; border-collapse: collapse; font-size: .92rem; }
th, td { text-align: left; padding: .55rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; } tr:first-child > * { border-top: 0; } th { width: 11rem; font-weight: 500; color: var(--soft); }
.bars { display: flex; align-items: flex-end; gap: .8rem; height: 11rem; padding-bottom: 1.5rem; } .bars span { position: relative; flex: 1; background: linear-gradient(#818cf8, #4f46e5); border-radius: .35rem .35rem 0 0; }
.bars i { position: absolute; bottom: -1.5rem; width: 100%; text-align: center; color: var(--soft); font-style: normal; font-size: .8rem; }
.notice { max-width: 34rem; margin: 8vh auto 0; padding: 2.5rem; text-align: center; } .code { font-weight: 700; color: var(--brand); letter-spacing: .1em; }
.button { display: inline-block; padding: .6rem 1.3rem; border-radius: .6rem; background: var(--brand); color: #fff; text-decoration: none; font-weight: 600; }
@media (max-width: 40rem) { .email { display: none; } th { width: 8rem; } }
`;
