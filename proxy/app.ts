import express, { type Express, type RequestHandler, type Router } from 'express';
import helmet from 'helmet';
import type { Log } from '../platform/log.ts';
import { nothingHere, requestContext } from '../platform/http.ts';
import { answerHandedOver } from './handed-over.ts';
import { errorPages } from './pages/error-page.ts';
import type { PreparingParts } from './trial/preparing.ts';
import { loggedPath } from './remote-billing/logged-path.ts';

export interface AppParts extends PreparingParts {
  log: Log;
  publicUrl: string;
  /** Where browsers find the sign-in service; undefined where none of the pages leads there. */
  providerUrl: string | undefined;
  /** Other origins to which a sign-in may lead back. */
  returnOrigins: readonly string[];
}

/** Everything that is not the way of a signed-in request. */
export function createApp(parts: AppParts, routes: Router): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(requestContext(parts.log, loggedPath));
  app.use(noStore);
  app.use(securityHeaders(parts));
  app.use(answerHandedOver(parts, parts.publicUrl));
  app.use(routes);
  app.use(nothingHere);
  app.use(errorPages(parts));
  return app;
}

const noStore: RequestHandler = (_req, res, next) => {
  res.set('Cache-Control', 'no-store');
  next();
};

/** Pages carry no script at all. Forms may lead on to Keycloak and to products elsewhere: Chromium holds form-action against redirects too. */
function securityHeaders({ publicUrl, providerUrl, products, returnOrigins }: AppParts): RequestHandler {
  const elsewhere = products.filter(({ start_url }) => !start_url.startsWith('/')).map(({ start_url }) => new URL(start_url).origin);
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'style-src': ["'self'"],
        'img-src': ["'self'"],
        'form-action': providerUrl === undefined ? ["'self'"] : [...new Set(["'self'", new URL(providerUrl).origin, ...elsewhere, ...returnOrigins])],
        'frame-ancestors': ["'none'"],
        'base-uri': ["'none'"],
      },
    },
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
    // The register API is called from other origins (products.yaml, origins).
    crossOriginResourcePolicy: false,
    strictTransportSecurity: publicUrl.startsWith('https:') ? { maxAge: 31_536_000, includeSubDomains: false } : false,
  });
}
