import type { z } from 'zod';
import { epochSeconds } from '../../../platform/clock.ts';
import type { Catalog } from '../catalog.ts';
import type { Invoice } from '../plans/invoice.store.ts';
import { booksToWire, issuedToWire, offersToWire, quoteToWire, seatsToWire } from '../plans/plans.wire.ts';
import { isPriced } from '../plans/plan.store.ts';
import { isHostProven } from '../place.ts';
import type { RemoteRealm } from '../realm.store.ts';
import type { RemoteServer } from '../server.store.ts';
import { isDeactivated } from '../standing.ts';
import type { giveEndQuote, giveQuote } from './plan-acts.service.ts';
import type { ReadPlace } from './read-place.service.ts';
import type { Found, listPending } from './search.service.ts';
import type { endQuoteAnswer, invoiceAnswer, pendingAnswer, quoteAnswer, readAnswer, searchAnswer } from './support.schemas.ts';

export function hitsToWire({ hits, more }: Found): z.input<typeof searchAnswer> {
  return {
    result: 'found',
    hits: hits.map(({ place, matched }) => ({
      kind: place.realm === undefined ? ('server' as const) : ('realm' as const),
      uuid: (place.realm ?? place.server).id,
      server_uuid: place.server.id,
      host: place.realm?.host ?? place.server.hostname,
      host_verified: isHostProven(place),
      name: place.realm?.name ?? place.server.hostname,
      deactivated: isDeactivated(place),
      matched: [...matched],
    })),
    more,
  };
}

export function placeToWire({ place, facts, realms, activeRealms, state, users, confirmations, acts }: ReadPlace, catalog: Catalog): z.input<typeof readAnswer> {
  const { sponsorship } = state;
  return {
    result: 'place',
    kind: place.realm === undefined ? 'server' : 'realm',
    server: { ...serverToWire(place.server), seats_reported: seatsToWire(activeRealms), version: facts.version, registered_at: epochSeconds(facts.registeredAt), last_request_at: epochSeconds(facts.lastRequestAt) },
    realm: place.realm === undefined ? null : { ...realmToWire(place.server, place.realm), url: place.realm.url, seats_reported: seatsToWire([place.realm]) },
    realms: realms.map((realm) => realmToWire(place.server, realm)),
    ...booksToWire(state, catalog),
    currency: catalog.currency,
    offers: offersToWire(catalog),
    sponsorship:
      sponsorship === undefined
        ? null
        : {
            id: sponsorship.id,
            state: sponsorship.state,
            organization_type: sponsorship.organizationType,
            website: sponsorship.website,
            description: sponsorship.description,
            expected_users: sponsorship.expectedUsers,
            paid_users: sponsorship.paidUsers,
            requested_plan: sponsorship.requestedPlan,
            requested_at: epochSeconds(sponsorship.requestedAt),
          },
    users: users.map(({ id, email, fullName, state: standing, dateJoined, lastLogin }) => ({
      id,
      email,
      full_name: fullName,
      state: standing,
      date_joined: epochSeconds(dateJoined),
      last_login: lastLogin && epochSeconds(lastLogin),
    })),
    confirmations: confirmations.map(({ email, fullName, requestedAt, mail, expiresAt }) => ({
      email,
      full_name: fullName,
      requested_at: epochSeconds(requestedAt),
      mail,
      expires_at: expiresAt && epochSeconds(expiresAt),
    })),
    history: acts.map(({ at, act, actorKind, actorId, userId, details }) => ({
      at: epochSeconds(at),
      act,
      actor_kind: actorKind,
      actor: actorId,
      user_id: userId,
      reason: typeof details['reason'] === 'string' ? details['reason'] : null,
    })),
  };
}

export function supportQuoteToWire(quote: Awaited<ReturnType<typeof giveQuote>>, catalog: Catalog): z.input<typeof quoteAnswer> {
  return quoteToWire(quote, catalog) as z.input<typeof quoteAnswer>;
}

export function endQuoteToWire({ plan, credit }: Awaited<ReturnType<typeof giveEndQuote>>, catalog: Catalog): z.input<typeof endQuoteAnswer> {
  const { net, tax, total } = credit;
  return { result: 'quote', plan: plan.type, net: 0 - net, tax: 0 - tax, total: 0 - total, currency: isPriced(plan) ? plan.currency : catalog.currency, tax_percent: isPriced(plan) ? plan.taxBasisPoints / 100 : 0 };
}

export function pendingToWire({ requests, more }: Awaited<ReturnType<typeof listPending>>): z.input<typeof pendingAnswer> {
  return {
    result: 'pending',
    requests: requests.map(({ place, requestedPlan, requestedAt }) => ({
      kind: place.realm === undefined ? ('server' as const) : ('realm' as const),
      uuid: (place.realm ?? place.server).id,
      host: place.realm?.host ?? place.server.hostname,
      host_verified: isHostProven(place),
      name: place.realm?.name ?? place.server.hostname,
      requested_plan: requestedPlan,
      requested_at: epochSeconds(requestedAt),
    })),
    more,
  };
}

export function supportInvoiceToWire(invoice: Invoice): z.input<typeof invoiceAnswer> {
  return issuedToWire(invoice);
}

function serverToWire(server: RemoteServer) {
  return { uuid: server.id, host: server.hostname, host_verified: server.hostnameVerified, plan_type: server.planType, deactivated: server.deactivated, contact_email: server.contactEmail };
}

function realmToWire(server: RemoteServer, realm: RemoteRealm) {
  return {
    uuid: realm.id,
    server_uuid: realm.serverId,
    host: realm.host,
    host_verified: isHostProven({ server, realm }),
    name: realm.name,
    plan_type: realm.planType,
    deactivated: realm.registrationDeactivated,
    deactivated_there: realm.deactivated || realm.locallyDeleted,
  };
}
