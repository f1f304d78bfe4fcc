import express, { type Express, type RequestHandler } from 'express';
import type { Message } from './message.ts';
import { bodyPage, inboxPage } from './pages.ts';

export interface Box {
  messages(): readonly Message[];
  clear(): void;
}

const LOCAL_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; base-uri 'none'; form-action 'self'";
/** A mail may hold anything: no scripts, nothing loaded from elsewhere, an origin of its own. */
const MAIL_POLICY = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** On a loopback `host` it answers to local names only. */
export function inboxRoutes(box: Box, host: string): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(headers);
  if (LOCAL_NAMES.has(host)) app.use(localOnly);
  app.get('/api/messages', (_req, res) => {
    res.json(box.messages());
  });
  app.delete('/api/messages', (_req, res) => {
    box.clear();
    res.status(204).end();
  });
  app.get('/', (req, res) => {
    const messages = box.messages();
    const chosen = messages.find((one) => one.id === req.query['id']) ?? messages[0];
    res.set('Content-Security-Policy', PAGE_POLICY).type('html').send(inboxPage(messages, chosen));
  });
  app.get('/messages/:id/body', (req, res) => {
    const message = box.messages().find((one) => one.id === req.params.id);
    if (!message) return res.status(404).type('text').send('This mail is gone.');
    return res.set('Content-Security-Policy', MAIL_POLICY).type('html').send(bodyPage(message));
  });
  app.get('/refresh.js', (_req, res) => {
    res.type('js').send(REFRESH);
  });
  return app;
}

const headers: RequestHandler = (_req, res, next) => {
  res.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer', 'X-Content-Type-Options': 'nosniff' });
  next();
};

/** A web page elsewhere could point a name of its own at this machine and read the mails. */
const localOnly: RequestHandler = (req, res, next) => {
  if (LOCAL_NAMES.has(req.hostname)) return next();
  return res.status(403).type('text').send('The inbox answers to localhost only.');
};

/** The page is whole without it; it only spares the reader the reload. */
const REFRESH = `
const shown = document.body.dataset.newest;
setInterval(async () => {
  const messages = await (await fetch('/api/messages')).json();
  if ((messages[0]?.id ?? '') !== shown) location.reload();
}, 2000);
document.querySelector('#clear')?.addEventListener('click', async () => {
  await fetch('/api/messages', { method: 'DELETE' });
  location.href = '/';
});
`;
