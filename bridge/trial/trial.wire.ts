import type { z } from 'zod';
import { epochSeconds, type Clock } from '../../platform/clock.ts';
import type { Product, Wording } from '../../platform/products.ts';
import type { StreamEvent } from '../http/event-stream.ts';
import { STAMP_ATTRIBUTE } from '../keycloak/stamp.ts';
import type { Told } from './changes.service.ts';
import type { Creation } from './creation.service.ts';
import type { TrialInfos } from './infos.service.ts';
import type { ProgramCreation } from './program-creation.service.ts';
import { appPath } from './provision.service.ts';
import { has } from './questions.ts';
import type { Registration } from './registration.store.ts';
import { endOf, stampOf } from './stamp.ts';
import type { changeData, creationAnswer, infosAnswer, programCreationAnswer, verifyAnswer } from './trial.schemas.ts';
import type { Asking, verify } from './verify.service.ts';

/** What leaves the bridge. Instants go through `toReal`: others compare with clocks of their own. */
export function verifyToWire(looked: Awaited<ReturnType<typeof verify>>, clock: Clock): z.input<typeof verifyAnswer> {
  if (!looked.valid) {
    const { reason, invitation } = looked;
    if (invitation === undefined) return { valid: false, reason };
    return { valid: false, reason, product: invitation.product, ...(reason === 'spent' ? { username: invitation.address } : {}) };
  }
  const { invitation } = looked;
  return {
    valid: true,
    username: invitation.address,
    ...(invitation.firstName === null ? {} : { first_name: invitation.firstName }),
    ...(invitation.lastName === null ? {} : { last_name: invitation.lastName }),
    locale: invitation.locale,
    expires_at: epochSeconds(clock.toReal(invitation.expiresAt)),
    ...(looked.addressIsInvited !== undefined && { address_is_invited: looked.addressIsInvited }),
    ...(looked.asking && askingToWire(looked.asking)),
  };
}

function askingToWire({ product, given }: Asking): Pick<Extract<z.input<typeof verifyAnswer>, { valid: true }>, 'attributes' | 'consents'> {
  const { attributes, consents, locale } = product;
  return {
    attributes: attributes.map(({ id, label, required, max_length }) => ({ id, ...labelToWire(label, locale), required, max_length, given: has(given, 'attributes', id) })),
    consents: consents.map(({ id, label, version, required, url }) => ({ id, ...labelToWire(label, locale), version, ...(url !== undefined && { url }), required, given: has(given, 'consents', id) })),
  };
}

function labelToWire(label: Wording, locale: string): { label: string; labels?: Record<string, string> } {
  return typeof label === 'string' ? { label } : { label: label[locale] ?? '', labels: label };
}

export function creationToWire({ product, registration }: Creation, clock: Clock): z.input<typeof creationAnswer> {
  return {
    attributes: { [STAMP_ATTRIBUTE]: [stampOf(product, registration, clock)] },
    roles: [...product.roles],
    app: appToWire(product, registration),
    ...endOf(registration, clock),
  };
}

export function programCreationToWire({ product, registration, userId }: ProgramCreation, clock: Clock): z.input<typeof programCreationAnswer> {
  return {
    user_id: userId,
    username: registration.address,
    product: product.id,
    app: appToWire(product, registration),
    ...endOf(registration, clock),
  };
}

function appToWire(product: Product, { trialAppId }: Registration) {
  return { id: trialAppId, name: product.app.name, path: appPath(product, trialAppId) };
}

export function infosToWire(infos: TrialInfos | undefined, clock: Clock): z.input<typeof infosAnswer> {
  if (infos === undefined) return { trial: false, expired: false };
  if (infos.state === 'converted') return { trial: true, state: infos.state, expired: false };
  return {
    trial: true,
    state: infos.state,
    expired: infos.state === 'expired',
    trial_ends_at: epochSeconds(clock.toReal(infos.trialEndsAt)),
    trial_access_until: epochSeconds(clock.toReal(infos.trialAccessUntil)),
    days_left: infos.daysLeft,
  };
}

export function toldToWire(told: Told, clock: Clock): StreamEvent {
  if (told.kind === 'up_to_date') return 'alive';
  if (told.kind === 'restarted') return { event: 'restarted', data: {} };
  const { userId, product, trialEndsAt, trialAccessUntil, ready, forgotten, version } = told.change;
  const data: z.input<typeof changeData> = {
    user_id: userId,
    product,
    trial_ends_at: trialEndsAt && epochSeconds(clock.toReal(trialEndsAt)),
    trial_access_until: trialAccessUntil && epochSeconds(clock.toReal(trialAccessUntil)),
    ready,
    forgotten,
    version,
  };
  return { id: String(version), event: 'change', data };
}
