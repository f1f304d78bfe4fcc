import type { Check, Faults } from './check.ts';
import { isForPeople, type View } from './view.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MOST_ACCESS_TOKEN = 15 * MINUTE;
const MOST_OFFLINE_SESSION = 30 * DAY;
const MOST_SESSION = 30 * DAY;

const LIMITS = [
  ['accessTokenLifespan', 'an access token', MOST_ACCESS_TOKEN],
  ['ssoSessionMaxLifespan', 'a session', MOST_SESSION],
  ['ssoSessionMaxLifespanRememberMe', 'a session with "remember me"', MOST_SESSION],
  ['accessCodeLifespan', 'an authorization code', 5 * MINUTE],
  ['actionTokenGeneratedByUserLifespan', 'a link that a person asked for (password reset)', HOUR],
  ['actionTokenGeneratedByAdminLifespan', 'a link that an admin sent', 3 * DAY],
] as const;

/** The jar refuses every refresh after the end and caps tokens at it; these limits hold where it is asked late, or about others' sessions. */
export const lifetimeChecks: readonly Check[] = [
  { name: 'token-lifetimes', run: lifetimes, advice: 'Realm settings → Sessions and → Tokens; of a client: Advanced → Advanced settings.' },
];

function lifetimes({ realm, clients }: View): Faults {
  const ofRealm = LIMITS.flatMap(([setting, what, most]) => tooLong(`${what} lives`, Number(realm[setting] ?? 0), most));
  const offline =
    realm['offlineSessionMaxLifespanEnabled'] === true
      ? tooLong('an offline session lives', Number(realm['offlineSessionMaxLifespan'] ?? 0), MOST_OFFLINE_SESSION)
      : ['offline sessions have no longest life (Offline Session Max Limited is off)'];
  const byAction = Object.entries(realm.attributes ?? {})
    .filter(([name]) => name.startsWith('actionTokenGeneratedByUserLifespan.'))
    .flatMap(([name, value]) => tooLong(`a link for ${name.split('.')[1]} lives`, Number(value), HOUR));
  const ofClients = clients.filter(isForPeople).flatMap(({ clientId, attributes }) => [
    ...tooLong(`an access token of client ${clientId} lives`, Number(attributes?.['access.token.lifespan'] ?? 0), MOST_ACCESS_TOKEN),
    ...tooLong(`an offline session of client ${clientId} lives`, Number(attributes?.['client.offline.session.max.lifespan'] ?? 0), MOST_OFFLINE_SESSION),
  ]);
  return [...ofRealm, ...offline, ...byAction, ...ofClients];
}

function tooLong(what: string, seconds: number, most: number): readonly string[] {
  return seconds > most ? [`${what} ${inWords(seconds)}; at most ${inWords(most)} here`] : [];
}

function inWords(seconds: number): string {
  if (seconds % DAY === 0) return `${seconds / DAY} days`;
  return seconds % MINUTE === 0 ? `${seconds / MINUTE} minutes` : `${seconds} s`;
}
