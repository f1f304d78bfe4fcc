import type { Express, RequestHandler, Response } from 'express';
import { requireFrom } from './install.ts';
import { BASE_URL, CLIENT, SECRET } from './session-cookie.ts';

// As its README sets it up, with http-proxy-middleware behind it; the identity goes on under the names that ours has.
interface SignedIn {
  oidc: { user?: { sub: string; email: string; name: string } };
}

const load = requireFrom(process.env['PEERS'] ?? '');
const express = load('express') as () => Express;
const { auth, requiresAuth } = load('express-openid-connect') as { auth: (options: object) => RequestHandler; requiresAuth: () => RequestHandler };
const { createProxyMiddleware } = load('http-proxy-middleware') as { createProxyMiddleware: (options: object) => RequestHandler };

const app = express();
app.get('/livez', (_req, res) => void res.end('alive'));
app.use(auth({ baseURL: BASE_URL, clientID: CLIENT, issuerBaseURL: 'https://keycloak.test', secret: SECRET, clientSecret: SECRET, authorizationParams: { response_type: 'code' }, authRequired: false, errorOnRequiredAuth: true }));
app.get('/api/auth', requiresAuth(), (req, res: Response) => {
  for (const [name, value] of identity(req as unknown as SignedIn)) res.set(name, value);
  res.status(200).end();
});
app.use(
  requiresAuth(),
  createProxyMiddleware({
    target: process.env['APP_INTERNAL_URL'],
    xfwd: true,
    on: {
      proxyReq: (outgoing: { setHeader(name: string, value: string): void }, req: SignedIn) => {
        for (const [name, value] of identity(req)) outgoing.setHeader(name, value);
      },
    },
  }),
);
app.listen(Number(process.env['PORT']), '127.0.0.1');

function identity({ oidc: { user } }: SignedIn): [string, string][] {
  return [['X-User', user?.sub ?? ''], ['X-User-Email', user?.email ?? ''], ['X-User-Name', user?.name ?? '']];
}
