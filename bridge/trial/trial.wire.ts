import type { z } from 'zod';
import { epochSeconds, type Clock } from '../../platform/clock.ts';
import { appPath } from './provision.service.ts';
import type { Creation } from './creation.service.ts';
import type { TrialInfos } from './infos.service.ts';
import type { creationAnswer, infosAnswer, verifyAnswer } from './trial.schemas.ts';
import type { verify } from './verify.service.ts';

/** What leaves for Keycloak. Instants go through `toReal`: Keycloak compares with a clock of its own. */
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
  };
}

export function creationToWire({ product, registration }: Creation, clock: Clock): z.input<typeof creationAnswer> {
  const ends = {
    trial_ends_at: epochSeconds(clock.toReal(registration.trialEndsAt)),
    trial_access_until: epochSeconds(clock.toReal(registration.trialAccessUntil)),
  };
  const stamp = { product: product.id, state: 'active', ...ends, trial_app: registration.trialAppId, clients: product.clients };
  return {
    attributes: { trial_stamp: [JSON.stringify(stamp)] },
    roles: [...product.roles],
    app: { id: registration.trialAppId, name: product.app.name, path: appPath(product, registration.trialAppId) },
    ...ends,
  };
}

export function infosToWire(infos: TrialInfos | undefined, clock: Clock): z.input<typeof infosAnswer> {
  if (infos === undefined) return { trial: false, expired: false };
  return {
    trial: true,
    state: infos.state,
    expired: infos.state === 'expired',
    trial_ends_at: epochSeconds(clock.toReal(infos.trialEndsAt)),
    trial_access_until: epochSeconds(clock.toReal(infos.trialAccessUntil)),
    days_left: infos.daysLeft,
  };
}
