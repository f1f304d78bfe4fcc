import express, { type Express } from 'express';
import { demoPage } from './pages.ts';

export interface EmbedDemo {
  /** Of the page itself: another site than the app's. */
  origin: string;
  bridgeUrl: string;
  tokenUrl: string;
  clientId: string;
  clientSecret: string;
}

export interface DemoTrial {
  id: string;
  username: string;
  trial_app: string | null;
}

/** Somebody else's web site, which shows a person's small app in a frame. Its server asks the bridge for the token; the browser posts it. */
export function embedDemo(demo: EmbedDemo): Express {
  const app = express();
  app.disable('x-powered-by');
  app.get('/', async (req, res) => {
    const trials = await trialsToShow(demo);
    const chosen = trials.find(({ id }) => id === req.query['trial']);
    const embed = chosen?.trial_app ? await ask<{ token: string; url: string }>(demo, '/api/trial/embed-token', { app: chosen.trial_app, origin: demo.origin }) : undefined;
    res.set('Cache-Control', 'no-store').type('html').send(demoPage(trials, chosen, embed));
  });
  return app;
}

async function trialsToShow(demo: EmbedDemo): Promise<DemoTrial[]> {
  const { trials } = await ask<{ trials: { id: string; state: string }[] }>(demo, '/api/trial?limit=20');
  const live = trials.filter(({ state }) => ['active', 'ending', 'grace', 'converted'].includes(state));
  return Promise.all(live.map(({ id }) => ask<DemoTrial>(demo, `/api/trial/${id}`)));
}

async function ask<Reply>(demo: EmbedDemo, path: string, body?: object): Promise<Reply> {
  const answer = await fetch(demo.bridgeUrl + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${await serviceToken(demo)}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${text}`);
  return JSON.parse(text) as Reply;
}

async function serviceToken({ tokenUrl, clientId, clientSecret }: EmbedDemo): Promise<string> {
  const answer = await fetch(tokenUrl, { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }) });
  return ((await answer.json()) as { access_token: string }).access_token;
}
