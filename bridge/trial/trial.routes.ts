import type { BlockList } from 'node:net';
import type { Clock } from '../../platform/clock.ts';
import { logOf, requestIdOf } from '../../platform/http.ts';
import { findProduct, type Products } from '../../platform/products.ts';
import { hashToken } from '../../platform/token.ts';
import type { AddressHash } from '../address/address-hash.ts';
import type { Captcha } from '../captcha/captcha.ts';
import type { Db } from '../db/schema.ts';
import { clientAddress } from '../../platform/client-address.ts';
import { preflight, restrictOrigin } from '../http/cors.ts';
import { chooseLocale } from '../http/locale.ts';
import { route, streamRoute, type Route } from '../http/route.ts';
import type { MakeAccount } from '../keycloak/account-maker.ts';
import type { Accounts } from '../keycloak/accounts.ts';
import { callerOf, STEPS_CLIENT_ID, type Guard } from '../keycloak/service-token.ts';
import type { Meter } from '../metrics/meter.ts';
import { tellRefusal } from '../life/sighting.routes.ts';
import type { Sighting, Sightings } from '../life/sightings.ts';
import type { RegisterLimit } from '../limit/register-limit.ts';
import type { ChangeBell } from './change-bell.ts';
import { changesAfter } from './changes.service.ts';
import { create } from './creation.service.ts';
import { readInfos } from './infos.service.ts';
import { disown } from './not-me.service.ts';
import { takeOutcome, takeOutcomes } from './outcome.service.ts';
import { createByProgram } from './program-creation.service.ts';
import { register } from './register.service.ts';
import {
  changesAnswer,
  changesHeaders,
  changesQuery,
  creationAnswer,
  creationBody,
  infosAnswer,
  infosQuery,
  notMeAnswer,
  notMeBody,
  outcomeAnswer,
  outcomeBody,
  outcomesAnswer,
  outcomesBody,
  programCreationAnswer,
  programCreationBody,
  registerAnswer,
  registerBody,
  verifyAnswer,
  verifyBody,
} from './trial.schemas.ts';
import { creationToWire, infosToWire, programCreationToWire, toldToWire, verifyToWire } from './trial.wire.ts';
import { verify } from './verify.service.ts';

const ACCEPTED = { status: 'accepted' } as const;

export interface TrialRoutesUsing {
  db: Db;
  products: Products;
  clock: Clock;
  hash: AddressHash;
  accounts: Accounts;
  makeAccount: MakeAccount;
  captcha: Captcha;
  limit: RegisterLimit;
  guard: Guard;
  meter: Pick<Meter, 'step'>;
  bell: ChangeBell;
  locales: readonly string[];
  proxyUrl: string;
  proxyClientId: string;
  trustedProxies: BlockList;
  newAppId: () => string;
  sightings: Pick<Sightings, 'saw'>;
}

function seen(looked: Awaited<ReturnType<typeof verify>>): Pick<Sighting, 'kind' | 'reason'> {
  if (!looked.valid) return { kind: 'refused', reason: looked.reason };
  return looked.addressIsInvited === false ? { kind: 'refused', reason: 'username_mismatch' } : { kind: 'form_shown' };
}

/** `/api/trial/…`: the seed's register, verify, creation and infos, with what makes them safe. */
export function trialRoutes(using: TrialRoutesUsing): readonly Route[] {
  const { db, products, clock } = using;
  const keycloakStep = { clientId: STEPS_CLIENT_ID, role: 'trial-callback' };
  const program = { role: 'trial-create' };
  const proxy = { clientId: using.proxyClientId, role: 'trial-manage' };
  return [
    route({
      method: 'post',
      path: '/api/trial/register',
      aliases: ['/api/legacy/trial/register'],
      summary: 'Ask for an invitation to a free trial, sent by mail. The answer is the same whoever the address belongs to.',
      caller: 'anybody',
      step: 'register',
      before: preflight(products),
      body: registerBody,
      status: 202,
      reply: registerAnswer,
      problems: ['captcha_refused', 'rate_limited', 'unauthorized', 'captcha_unavailable'],
      answer: async ({ body, req, res, outcome }) => {
        restrictOrigin(res, req.headers.origin, findProduct(products, body.product)?.origins ?? []);
        const fromProxy = await using.guard.isFrom(using.proxyClientId, req, res);
        await register(db, using, body, {
          clientAddress: clientAddress(req, using.trustedProxies, fromProxy),
          // The proxy asks for whoever sits at a browser, whatever its own roles.
          isProgram: !fromProxy && (await using.guard.hasRole(program.role, req, res)),
          requestId: requestIdOf(res),
          locale: (product) => chooseLocale(using.locales, body.locale, req.headers['accept-language'], product.locale),
        });
        outcome('accepted');
        return ACCEPTED;
      },
    }),
    route({
      method: 'post',
      path: '/api/trial/verify',
      summary: 'Whether an invitation can be used, and whose it is. Looking never uses it up.',
      caller: keycloakStep,
      step: 'verify',
      body: verifyBody,
      status: 200,
      reply: verifyAnswer,
      problems: [],
      answer: async ({ body, res, outcome }) => {
        const looked = await verify(db, using, body);
        using.sightings.saw({ of: { tokenHash: hashToken(body.token) }, requestId: requestIdOf(res), ...seen(looked) });
        outcome(looked.valid ? 'valid' : looked.reason);
        return verifyToWire(looked, clock);
      },
    }),
    route({
      method: 'post',
      path: '/api/trial/creation',
      summary: 'Reserve an invitation for a user that Keycloak is about to commit, and provision the trial.',
      caller: keycloakStep,
      step: 'creation',
      body: creationBody,
      status: 200,
      reply: creationAnswer,
      problems: ['invitation_unknown', 'invitation_expired', 'invitation_revoked', 'invitation_spent', 'username_mismatch', 'trial_exists', 'attempt_conflict'],
      answer: async ({ body, res, outcome }) => {
        tellRefusal(using.sightings, body.token, res);
        const creation = await create(db, using, body, requestIdOf(res));
        outcome(creation.way);
        return creationToWire(creation, clock);
      },
    }),
    route({
      method: 'post',
      path: '/api/trial/creation',
      summary: 'For programs: make the account of an invitation in Keycloak, with its trial. May be repeated.',
      caller: program,
      step: 'program_creation',
      body: programCreationBody,
      status: 200,
      reply: programCreationAnswer,
      problems: [
        ...['invitation_unknown', 'invitation_expired', 'invitation_revoked', 'invitation_spent', 'username_mismatch', 'trial_exists', 'attempt_conflict'] as const,
        ...['account_exists', 'password_refused', 'bad_gateway', 'unavailable', 'gateway_timeout'] as const,
      ],
      answer: async ({ body, res, outcome }) => {
        tellRefusal(using.sightings, body.token, res);
        const creation = await createByProgram(db, using, body, { clientId: callerOf(res), requestId: requestIdOf(res), log: logOf(res) });
        outcome(creation.way);
        return programCreationToWire(creation, clock);
      },
    }),
    route({
      method: 'post',
      path: '/api/trial/creation/outcome',
      summary: "How Keycloak's transaction ended. Best effort: what is missed, a job finds out.",
      caller: keycloakStep,
      step: 'outcome',
      body: outcomeBody,
      status: 200,
      reply: outcomeAnswer,
      problems: [],
      answer: async ({ body, outcome }) => {
        const result = await takeOutcome(db, clock, body);
        outcome(result);
        return { result };
      },
    }),
    route({
      method: 'post',
      path: '/api/trial/creation/outcomes',
      summary: 'The same of several registrations that ended at about the same time. The results are in their order.',
      caller: keycloakStep,
      body: outcomesBody,
      status: 200,
      reply: outcomesAnswer,
      problems: [],
      answer: async ({ body }) => {
        const results = await takeOutcomes(db, clock, body.outcomes);
        for (const result of results) using.meter.step('outcome', result);
        return { results: [...results] };
      },
    }),
    route({
      method: 'get',
      path: '/api/trial/infos',
      summary: "Whether a person has a trial of a client's product, and until when.",
      caller: keycloakStep,
      query: infosQuery,
      status: 200,
      reply: infosAnswer,
      problems: [],
      answer: async ({ query, outcome }) => {
        const infos = await readInfos(db, using, query);
        outcome(infos?.state ?? 'no_trial');
        return infosToWire(infos, clock);
      },
    }),
    streamRoute({
      method: 'get',
      path: '/api/trial/changes',
      summary: "Every change of a trial's end, as it comes: created, moved, ended, without an end any more.",
      caller: { clientId: using.proxyClientId, role: 'trial-read' },
      query: changesQuery,
      headers: changesHeaders,
      status: 200,
      reply: changesAnswer,
      problems: [],
      events: async function* ({ query, req, signal }) {
        const wish = { version: Number(req.headers['last-event-id'] ?? 0), follow: query.follow === 'true', signal: AbortSignal.any([signal, using.bell.stopping]) };
        for await (const told of changesAfter(db, using.bell, wish)) yield toldToWire(told, clock);
      },
    }),
    route({
      method: 'post',
      path: '/api/trial/not-me',
      summary: '"This wasn\'t me": withdraws the open invitations of an address and stops mails to it. Reveals nothing.',
      caller: proxy,
      body: notMeBody,
      status: 200,
      reply: notMeAnswer,
      problems: [],
      answer: async ({ body }) => {
        await disown(db, clock, body.token);
        return ACCEPTED;
      },
    }),
  ];
}
