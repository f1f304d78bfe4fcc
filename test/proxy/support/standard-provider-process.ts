import { once } from 'node:events';
import { createServer } from 'node:http';
import { Provider, type Context } from 'oidc-provider';

/** Who signs in, without being asked. */
const PERSON = { sub: 'standard-ada', email: 'ada@example.com', name: 'Ada Lovelace' };
const EVENTS = ['pushed_authorization_request.success', 'pushed_authorization_request.error', 'authorization.success', 'authorization.error', 'grant.success', 'grant.error', 'userinfo.error', 'backchannel.success', 'backchannel.error', 'end_session.success', 'end_session.error', 'server_error'];

export interface Wish {
  port: number;
  proxyUrl: string;
  client: Readonly<Record<string, unknown>>;
}

/** panva's oidc-provider, as strict as it can be made: PAR is demanded, and an ID token carries no more than the specification wants. */
process.once('message', async (message) => {
  const { port, proxyUrl, client } = message as Wish;
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'standard-proxy',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: [`${proxyUrl}/api/callback`],
        post_logout_redirect_uris: [`${proxyUrl}/api/logout/done`],
        backchannel_logout_uri: `${proxyUrl}/api/logout/back-channel`,
        backchannel_logout_session_required: true,
        ...client,
      },
    ],
    claims: { openid: ['sub'], email: ['email'], profile: ['name'] },
    cookies: { keys: ['cookie-key-for-tests'] },
    features: {
      devInteractions: { enabled: false },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: (ctx: Context, form: string) => void (ctx.body = form) },
    },
    // Its own would refuse to dial this very machine.
    fetch: (url: string, { dispatcher: _dispatcher, ...options }: RequestInit & { dispatcher?: unknown }) => fetch(url, options),
    findAccount: (_ctx: unknown, accountId: string) => ({ accountId, claims: () => ({ ...PERSON, sub: accountId }) }),
    interactions: { url: () => '/interaction' },
    issueRefreshToken: () => true,
    loadExistingGrant: async ({ oidc }: Context) => {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
    ttl: { AccessToken: 300, IdToken: 300, Session: 3600, Grant: 3600, Interaction: 600 },
  });
  for (const event of EVENTS) provider.on(event, (ctx) => isForBridge(ctx) || process.send?.({ event }));
  const answer = provider.callback();
  const server = createServer((req, res) => {
    if (req.url?.startsWith('/interaction')) void provider.interactionFinished(req, res, { login: { accountId: PERSON.sub } });
    else answer(req, res);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  process.send?.({ event: 'listening' });
});

/** The proxy's service token for the bridge is asked for all the time, and given to nobody here. */
function isForBridge(ctx: { oidc?: { params?: Record<string, unknown> } }): boolean {
  return ctx.oidc?.params?.['grant_type'] === 'client_credentials';
}
