import express, { type Express, type Router } from 'express';
import helmet from 'helmet';
import { healthRoutes, type Dependency } from '../platform/health.ts';
import { nothingHere, requestContext, sendProblem } from '../platform/http.ts';
import type { Log } from '../platform/log.ts';
import { embedKeysRoute, type EmbedRoutesUsing } from './embed/embed.routes.ts';
import { openApiDocument } from './http/openapi.ts';
import { mountRoutes } from './http/route.ts';
import { countRequests } from './metrics/measure.ts';
import type { LifeRoutesUsing } from './life/life.routes.ts';
import type { Meter } from './metrics/meter.ts';
import type { BillingParts } from './remote-billing/billing-parts.ts';
import { serverPaths } from './remote-billing/servers.openapi.ts';
import { mountServerRoutes, serverRoutes } from './remote-billing/servers.routes.ts';
import { bridgeRoutes } from './routes.ts';
import type { TrialRoutesUsing } from './trial/trial.routes.ts';

const CONTENT_POLICY = { defaultSrc: ["'none'"], styleSrc: ["'unsafe-inline'"], frameAncestors: ["'none'"], baseUri: ["'none'"] };

interface Using extends TrialRoutesUsing, LifeRoutesUsing, EmbedRoutesUsing {
  log: Log;
  meter: Meter;
  dependencies: Readonly<Record<string, Dependency>>;
  developmentRoutes: readonly Router[];
  checkAnswers: boolean;
  /** Undefined: no remote billing. */
  billing: BillingParts | undefined;
}

export function createApp(using: Using): Express {
  const routes = bridgeRoutes(using);
  const document = openApiDocument(routes, using.billing && serverPaths(serverRoutes({ ...using, ...using.billing })));
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use(requestContext(using.log));
  app.use(countRequests(using.meter));
  app.use(helmet({ contentSecurityPolicy: { useDefaults: false, directives: CONTENT_POLICY } }));
  app.use(healthRoutes({ dependencies: using.dependencies }));
  app.get('/openapi.json', (_req, res) => {
    res.json(document);
  });
  app.use(embedKeysRoute(using.embedTokens));
  for (const router of using.developmentRoutes) app.use(router);
  if (using.billing !== undefined) app.use(mountServerRoutes({ ...using, ...using.billing }));
  app.use(mountRoutes(routes, using.guard, using.meter, { checkAnswers: using.checkAnswers }));
  app.use(nothingHere);
  app.use(sendProblem);
  return app;
}
