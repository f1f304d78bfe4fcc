import express, { type Express } from 'express';
import { identityFrom } from './identity.ts';
import { hearOfTrials } from './webhooks.ts';
import { contactPage, dashboardPage, notYoursPage, smallAppPage, toldPage, unknownPage } from './pages.ts';

const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** Undefined: it is told of no trials. */
export interface SampleAppSettings {
  webhookSecret: string | undefined;
}

/** A web application as a customer would have one: it knows nothing of Keycloak and believes the proxy's headers. */
export function sampleApp({ webhookSecret }: SampleAppSettings): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use((_req, res, next) => {
    res.set({ 'Cache-Control': 'no-store', 'Content-Security-Policy': PAGE_POLICY, 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'same-origin' });
    next();
  });
  app.get('/contact', (_req, res) => {
    res.type('html').send(contactPage());
  });
  app.get('/livez', (_req, res) => {
    res.json({ status: 'alive' });
  });
  const told = webhookSecret === undefined ? undefined : hearOfTrials(webhookSecret);
  if (told) app.use(told.routes);
  app.use((req, res, next) => {
    const identity = identityFrom(req.headers);
    if (!identity) return res.status(401).type('html').send(unknownPage());
    res.locals['identity'] = identity;
    return next();
  });
  app.get('/', (_req, res) => {
    res.type('html').send(dashboardPage(res.locals['identity']));
  });
  app.get('/apps/:id', (req, res) => {
    const identity = res.locals['identity'];
    if (req.params.id !== identity.trialApp) return res.status(403).type('html').send(notYoursPage(identity));
    return res.type('html').send(smallAppPage(identity));
  });
  app.get('/told', (_req, res) => {
    const identity = res.locals['identity'];
    res.type('html').send(toldPage(identity, told?.of(identity.userId) ?? []));
  });
  app.get('/whoami', (_req, res) => {
    res.json(res.locals['identity']);
  });
  app.use((_req, res) => {
    res.status(404).type('text').send('The sample app has no such page.');
  });
  return app;
}
