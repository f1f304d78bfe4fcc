import { randomUUID } from 'node:crypto';
import { movableClock, systemClock, type Clock, type MovableClock } from '../platform/clock.ts';
import { openDatabase } from '../platform/database.ts';
import { startServer } from '../platform/http.ts';
import type { Log } from '../platform/log.ts';
import type { Products } from '../platform/products.ts';
import { addressHash } from './address/address-hash.ts';
import { createApp } from './app.ts';
import { clockRoutes } from './clock/clock.routes.ts';
import type { Config } from './config.ts';
import type { Schema } from './db/schema.ts';
import { trustedRanges } from './http/client-address.ts';
import { keycloakAccounts, type Accounts } from './keycloak/accounts.ts';
import { serviceTokenGuard } from './keycloak/service-token.ts';
import { signingKeys } from './keycloak/signing-keys.ts';
import { registerLimit } from './limit/register-limit.ts';
import { mailLinks } from './mail/links.ts';
import { mailPreviewRoutes } from './mail/preview.routes.ts';
import { mailLocales, mailRenderer } from './mail/render.ts';
import { sendInvitation } from './mail/send-invitation.service.ts';
import { sendMail } from './mail/send-mail.service.ts';
import { smtpTransport } from './mail/transport.ts';
import { reconcile } from './trial/reconcile.service.ts';
import { hurryJobs, startWorker } from './worker.ts';

const POOL_SIZE = 20;

/** What a test hands in instead. */
export interface Given {
  clock?: Clock;
  accounts?: Accounts;
  newAppId?: () => string;
}

export interface Bridge {
  port: number;
  /** Drains: no new requests, jobs under way finish, then connections close. */
  stop(): Promise<void>;
}

/** The whole bridge on a migrated database. */
export async function startBridge(config: Config, products: Products, log: Log, given: Given = {}): Promise<Bridge> {
  const { db, pool, close } = openDatabase<Schema>(config.databaseUrl.reveal(), {
    poolSize: POOL_SIZE,
    name: 'vestibule-bridge',
    onError: (error) => log.warn({ err: error }, 'a database connection broke'),
  });
  const movable = config.movableClock ? movableClock() : undefined;
  const clock = given.clock ?? movable ?? systemClock;
  const hash = addressHash(config.addressHashKey);
  const links = mailLinks(config);
  const render = mailRenderer(links, config.mailFrom);
  const transport = smtpTransport(config.smtpUrl, config.proxyUrl);
  const keys = signingKeys(`${config.keycloak.internalUrl}/realms/${config.keycloak.realm}`, log);
  const accounts = given.accounts ?? keycloakAccounts({ ...config.keycloak, clientId: config.clientId, clientSecret: config.clientSecret });
  const jobs = { ...config, products, clock, hash, accounts, links, render, transport, log };
  const worker = await startWorker(
    pool,
    {
      send_invitation: ({ sign_up_request_id }) => sendInvitation(db, jobs, sign_up_request_id),
      send_mail: ({ mail_id }, { lastTry }) => sendMail(db, jobs, mail_id, lastTry),
      reconcile: ({ attempt_id }) => reconcile(db, jobs, attempt_id),
    },
    log,
  );
  const app = createApp({
    db,
    log,
    products,
    clock,
    hash,
    proxyUrl: config.proxyUrl,
    proxyClientId: config.proxyClientId,
    limit: registerLimit(pool, hash, config.registerLimits),
    guard: serviceTokenGuard(config, keys),
    locales: mailLocales(),
    trustedProxies: trustedRanges(config.trustedProxies),
    newAppId: given.newAppId ?? randomUUID,
    checkAnswers: config.development,
    dependencies: {
      postgres: { required: true, check: () => pool.query('select 1') },
      keycloak_keys: { required: true, check: () => keys.check() },
      worker: { required: true, check: () => worker.check() },
      // Mails queue while it is away.
      smtp: { required: false, check: () => transport.check() },
    },
    developmentRoutes: config.development ? developmentRoutes(movable) : [],
  });
  const server = await startServer(app, config.address);
  return {
    port: server.port,
    stop: async () => {
      await server.stop();
      await worker.stop();
      keys.stop();
      transport.close();
      await close();
    },
  };

  function developmentRoutes(movableOne: MovableClock | undefined) {
    const previews = mailPreviewRoutes(products, render, links);
    return movableOne === undefined ? [previews] : [previews, clockRoutes(movableOne, () => hurryJobs(db))];
  }
}
