import { createHash } from 'node:crypto';
import express, { type Express, type Request } from 'express';
import { selfHostedBilling, type Credentials, type Realm } from '../../self-hosted/self-hosted-billing.ts';
import { homePage } from './pages.ts';
import { personOf, PEOPLE, type DemoPerson } from './people.ts';

const COOKIE = 'demo_person';

export interface SelfHostedServer extends Credentials {
  app: Express;
}

/** A product that somebody runs at home, with one organization: whoever is chosen on its first page is signed in. */
export function selfHostedServer({ url, billingUrl, serverKey }: { url: string; billingUrl: string; serverKey: string }): SelfHostedServer {
  const serverId = uuidFrom(serverKey, 'server');
  const credentials: Credentials = { bridgeUrl: billingUrl, serverId, serverKey };
  const realm: Realm = {
    id: 2,
    uuid: uuidFrom(serverKey, 'realm'),
    uuid_owner_secret: createHash('sha256').update(`${serverKey} owner`).digest('hex'),
    host: new URL(url).host,
    url,
    name: 'Analytical Society',
    org_type: 10,
    date_created: 1_700_000_000,
    deactivated: false,
    is_system_bot_realm: false,
    authentication_methods: { Email: true },
  };
  const app = express();
  app.disable('x-powered-by');
  app.use(
    selfHostedBilling({
      ...credentials,
      currentUser: current,
      mayManageBilling: (req) => current(req)?.owner === true,
      currentRealm: () => realm,
      loginUrl: (path) => `/?next=${encodeURIComponent(path)}`,
      onFailure: (failure, cause) => console.error(`Billing: ${failure}`, cause),
    }),
  );
  app.get('/', (req, res) => {
    res.type('html').send(homePage({ person: current(req), people: PEOPLE, next: pathIn(req.query['next']), serverLoginUrl: `${billingUrl}/serverlogin/`, serverId, serverKey }));
  });
  app.post('/sign-in', express.urlencoded({ extended: false }), (req, res) => {
    const { as, next } = req.body as Record<string, unknown>;
    const person = personOf(typeof as === 'string' ? as : undefined);
    res.set('Set-Cookie', person ? `${COOKIE}=${person.id}; Path=/; HttpOnly; SameSite=Lax` : `${COOKIE}=; Path=/; Max-Age=0`);
    res.redirect(303, pathIn(next) ?? '/');
  });
  return { ...credentials, app };
}

function current(req: Request): DemoPerson | undefined {
  return personOf(/(?:^|; )demo_person=(\w+)/.exec(req.headers.cookie ?? '')?.[1]);
}

/** A path of this server and nothing else. */
function pathIn(value: unknown): string | undefined {
  return typeof value === 'string' && /^\/(?![/\\])/.test(value) ? value : undefined;
}

/** The same for the same key, so that a server stays who it is when the stack starts again. */
function uuidFrom(key: string, name: string): string {
  const hex = createHash('sha256').update(`${key} ${name}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
