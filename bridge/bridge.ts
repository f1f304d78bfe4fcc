import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import { movableClock, systemClock, type Clock, type MovableClock } from '../platform/clock.ts';
import { openDatabase } from '../platform/database.ts';
import { startServer } from '../platform/http.ts';
import type { Log } from '../platform/log.ts';
import { startOperatorPort } from '../platform/operator-port.ts';
import type { Products } from '../platform/products.ts';
import { addressHash } from './address/address-hash.ts';
import { blockedDomains } from './address/blocked-domains.ts';
import { createApp } from './app.ts';
import { captchaBy, noCaptcha } from './captcha/captcha.ts';
import { clockRoutes } from './clock/clock.routes.ts';
import type { Config } from './config.ts';
import type { Schema } from './db/schema.ts';
import { embedTokens } from './embed/embed-token.ts';
import { accountMaker, type MakeAccount } from './keycloak/account-maker.ts';
import { callsOfKeycloak } from './keycloak/breaker.ts';
import { adminClient, keycloakAccounts, type Accounts } from './keycloak/accounts.ts';
import { serviceTokenGuard } from './keycloak/service-token.ts';
import { trialKeeper, type TrialKeeper } from './keycloak/trial-keeper.ts';
import { signingKeys } from './keycloak/signing-keys.ts';
import { goOnErasing } from './life/erase.service.ts';
import { keepLife } from './life/keep.service.ts';
import { followProducts } from './life/product-clients.service.ts';
import { collectSightings } from './life/sightings.ts';
import { sweepLives } from './life/sweep.service.ts';
import { endRehearsal } from './rehearsal/remove.service.ts';
import { registerLimit } from './limit/register-limit.ts';
import { mailLinks } from './mail/links.ts';
import { mailPreviewRoutes } from './mail/preview.routes.ts';
import { mailLocales, mailRenderer } from './mail/render.ts';
import { sendInvitation } from './mail/send-invitation.service.ts';
import { sendMail } from './mail/send-mail.service.ts';
import { smtpTransport } from './mail/transport.ts';
import { bridgeGauges } from './metrics/gauges.ts';
import { createMeter, type Step } from './metrics/meter.ts';
import { startFirstLooks } from './trial/first-looks.ts';
import { changeBell } from './trial/change-bell.ts';
import { tellAllAgain } from './trial/change.store.ts';
import { billingParts } from './remote-billing/billing-parts.ts';
import { sendBillingMail } from './remote-billing/send-billing-mail.service.ts';
import { startSweepTimer } from './db/sweep-timer.ts';
import { sweepPlans } from './remote-billing/plans/sweep.service.ts';
import { finishJoin } from './trial/finish-join.service.ts';
import { reconcile } from './trial/reconcile.service.ts';
import type { Endpoint } from './webhooks/endpoints.ts';
import { webhookPost } from './webhooks/post.ts';
import { keepSubscriptions } from './webhooks/subscription.store.ts';
import { startTeller } from './webhooks/teller.ts';
import { hurryJobs, startWorker } from './worker.ts';

export const POOL_SIZE = 20;

/** What people may try, and whose apps hear of it. */
export interface Offers {
  products: Products;
  endpoints: readonly Endpoint[];
}

/** What a test hands in instead. */
export interface Given {
  clock?: Clock;
  accounts?: Accounts;
  makeAccount?: MakeAccount;
  keeper?: TrialKeeper;
  newAppId?: () => string;
}

export interface Bridge {
  port: number;
  /** Undefined where nobody may scrape. */
  metricsPort: number | undefined;
  /** Drains: no new requests, jobs under way finish, then connections close. */
  stop(): Promise<void>;
}

/** The whole bridge on a migrated database. */
export async function startBridge(config: Config, { products, endpoints }: Offers, log: Log, given: Given = {}): Promise<Bridge> {
  const isBlocked = blockedDomains(products);
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
  const admin = adminClient({ ...config.keycloak, clientId: config.clientId, clientSecret: config.clientSecret });
  const accounts = given.accounts ?? keycloakAccounts(admin);
  const bell = changeBell(config.databaseUrl.reveal(), log);
  const billing = config.billing && billingParts(config.billing, pool, hash);
  const registry = new Registry();
  const meter = createMeter(registry);
  const keeper = given.keeper ?? trialKeeper(config.keycloak, () => admin.getAccessToken().then((token) => token ?? ''));
  const jobs = { ...config, keeper, products, isBlocked, clock, hash, accounts, links, render, transport, meter, log };
  await followProducts(db, products, log);
  const worker = await startWorker(
    pool,
    {
      send_invitation: async ({ sign_up_request_id }) => countStep('invitation', await sendInvitation(db, jobs, sign_up_request_id)),
      send_mail: ({ mail_id }, { lastTry }) => sendMail(db, jobs, mail_id, lastTry),
      send_billing_mail: ({ billing_mail_id }, { lastTry }) => sendBillingMail(db, { ...jobs, ...demandBilling() }, billing_mail_id, lastTry),
      sweep_plans: () => sweepPlans(db, { ...jobs, ...demandBilling() }),
      sweep_lives: async () => void (await sweepLives(db, jobs)),
      keep_life: async ({ life_id }) => void (await keepLife(db, jobs, life_id)),
      erase_life: ({ life_id, request_id }) => goOnErasing(db, jobs, life_id, request_id),
      end_rehearsal: ({ life_id }) => endRehearsal(db, jobs, life_id),
      reconcile: async ({ attempt_id }) => countStep('reconcile', await reconcile(db, jobs, attempt_id)),
      finish_join: async ({ attempt_id }) => {
        // Keycloak may have heard of one that was given up meanwhile.
        if ((await finishJoin(db, jobs, attempt_id)) === 'given_up') countStep('reconcile', await reconcile(db, jobs, attempt_id));
      },
    },
    meter,
    log,
  );
  await keepSubscriptions(db, endpoints, products.map(({ id }) => id));
  const post = webhookPost({ anyAddress: config.development, ...config.webhooks });
  const teller = startTeller(db, { ...config.webhooks, clock, post, meter, log, bell }, endpoints);
  const sightings = collectSightings(db, { clock, log });
  const sweepTimers = [startSweepTimer(db, 'sweep_lives', 10, log), ...(billing === undefined ? [] : [startSweepTimer(db, 'sweep_plans', 60, log)])];
  const firstLooks = startFirstLooks(db, log);
  const dependencies = {
    postgres: { required: true, check: () => pool.query('select 1') },
    keycloak_keys: { required: true, check: () => keys.check() },
    // Steps are answered and sign-ups taken while it is away; mails queue.
    keycloak: { required: false, check: () => Promise.all([keys.checkFresh(), accounts.check()]) },
    // From its side: each node that leaves us out decides by stamps meanwhile.
    keycloak_calls: { required: false, check: callsOfKeycloak(config.keycloak).check },
    worker: { required: true, check: () => worker.check() },
    // Mails queue while it is away.
    smtp: { required: false, check: () => transport.check() },
  };
  bridgeGauges(registry, { db, pool, clock, log, dependencies });
  const app = createApp({
    db,
    log,
    meter,
    products,
    clock,
    hash,
    accounts,
    keeper,
    sightings,
    makeAccount: given.makeAccount ?? accountMaker(admin),
    proxyUrl: config.proxyUrl,
    proxyClientId: config.proxyClientId,
    captcha: config.captcha ? captchaBy(config.captcha, log) : noCaptcha,
    limit: registerLimit(pool, hash, config.registerLimits),
    guard: serviceTokenGuard(config, keys),
    bell,
    locales: mailLocales(),
    trustedProxies: config.trustedProxies,
    newAppId: given.newAppId ?? randomUUID,
    checkAnswers: config.development,
    development: config.development,
    embedTokens: config.embed && embedTokens(config.embed.keys, config.embed.url),
    embedUrl: config.embed?.url ?? config.proxyUrl,
    billing,
    dependencies,
    developmentRoutes: config.development ? developmentRoutes(movable) : [],
  });
  const server = await startServer(app, config.address);
  const metricsServer = config.metricsAddress && (await startOperatorPort(config.metricsAddress, { registry, health: { dependencies }, log }));
  return {
    port: server.port,
    metricsPort: metricsServer?.port,
    stop: async () => {
      await Promise.all([bell.stop(), server.stop(), metricsServer?.stop()]);
      for (const timer of sweepTimers) timer.stop();
      firstLooks.stop();
      await Promise.all([worker.stop(), teller.stop(), sightings.stop()]);
      await post.close();
      // Whoever comes next may be a release that knows of jobs only.
      await firstLooks.queueAll().catch((error: unknown) => log.warn({ err: error }, 'first looks stay for the next bridge'));
      keys.stop();
      transport.close();
      await close();
    },
  };

  async function onMove(): Promise<void> {
    await firstLooks.queueAll();
    await Promise.all([hurryJobs(db), tellAllAgain(db)]);
    await Promise.all(sweepTimers.map((timer) => timer.sweepNow()));
  }

  function demandBilling() {
    if (billing === undefined) throw new Error('There are jobs of remote billing: set BILLING_TOKEN_KEY');
    return billing;
  }

  function countStep(step: Step, outcome: string | undefined): void {
    if (outcome !== undefined) meter.step(step, outcome);
  }

  function developmentRoutes(movableOne: MovableClock | undefined) {
    const previews = mailPreviewRoutes(products, render, links, billing?.catalog);
    return movableOne === undefined ? [previews] : [previews, clockRoutes(movableOne, onMove)];
  }
}
