import type KeycloakAdminClient from '@keycloak/keycloak-admin-client';
import { NetworkError } from '@keycloak/keycloak-admin-client';
import type { Secret } from '../../platform/secret.ts';
import { TRIALS_GROUP } from './accounts.ts';
import { noAnswer } from './no-answer.ts';
import { STAMP_ATTRIBUTE } from './stamp.ts';

const GUIDE = 'An operator finds what to do in docs/programs.md.';

/** Keycloak's names of what the caller sent. */
const FIELDS: Readonly<Record<string, string>> = { firstName: 'first_name', lastName: 'last_name', email: 'username', username: 'username', locale: 'locale' };

export interface NewAccount {
  /** Canonical; becomes username and verified e-mail address. */
  address: string;
  firstName: string | null;
  lastName: string | null;
  locale: string;
  product: string;
  roles: readonly string[];
  /** The entry of `trial_stamp`. */
  stamp: string;
  password: Secret;
}

/** `refused`: Keycloak said what is wrong with a field, in its own words; `unable`: the realm is not set up for it. Nothing was made then. */
export type Making = { result: 'made' } | { result: 'exists' } | { result: 'refused'; field: string | undefined; detail: string } | { result: 'unable'; detail: string };

/** Makes an account whole or not at all. Throws when nobody knows what came of it: 502, 503 or 504, to be repeated. */
export type MakeAccount = (account: NewAccount) => Promise<Making>;

/**
 * The only write of the bridge to Keycloak: user, stamp, group and password are born in one transaction of Keycloak's
 * (UsersResource.createUser). It may do so because the group's members are its to manage, and no others.
 */
export function accountMaker(admin: KeycloakAdminClient): MakeAccount {
  return async (account) => {
    try {
      const lack = await whatIsLacking(admin, account);
      return lack === undefined ? await make(admin, account) : { result: 'unable', detail: `${lack} ${GUIDE}` };
    } catch (error) {
      throw noAnswer(error);
    }
  };
}

/** Keycloak drops an attribute that is not declared, and a group that has no role gives none: both without a word. */
async function whatIsLacking(admin: KeycloakAdminClient, { product, roles }: NewAccount): Promise<string | undefined> {
  const [profile, group] = await Promise.all([admin.users.getProfile(), findProductGroup(admin, product)]);
  if (!profile.attributes?.some(({ name }) => name === STAMP_ATTRIBUTE)) return `The realm's user profile does not declare ${STAMP_ATTRIBUTE}.`;
  if (group === undefined) return `The realm has no group /${TRIALS_GROUP}/${product}.`;
  const missing = roles.filter((role) => !group.realmRoles?.includes(role));
  return missing.length === 0 ? undefined : `The group /${TRIALS_GROUP}/${product} does not give the role ${missing.join(', ')}.`;
}

async function findProductGroup(admin: KeycloakAdminClient, product: string) {
  const groups = await admin.groups.find({ search: TRIALS_GROUP, exact: true });
  const parentId = groups.find(({ name }) => name === TRIALS_GROUP)?.id;
  if (parentId === undefined) return undefined;
  const children = await admin.groups.listSubGroups({ parentId, search: product, briefRepresentation: false, max: 1_000 });
  return children.find(({ name }) => name === product);
}

async function make(admin: KeycloakAdminClient, account: NewAccount): Promise<Making> {
  try {
    await admin.users.create({
      username: account.address,
      email: account.address,
      emailVerified: true,
      enabled: true,
      ...(account.firstName === null ? {} : { firstName: account.firstName }),
      ...(account.lastName === null ? {} : { lastName: account.lastName }),
      attributes: { [STAMP_ATTRIBUTE]: [asMade(account.stamp)], locale: [account.locale] },
      groups: [`/${TRIALS_GROUP}/${account.product}`],
      credentials: [{ type: 'password', value: account.password.reveal(), temporary: false }],
    });
    return { result: 'made' };
  } catch (error) {
    const refusal = error instanceof NetworkError ? refusalOf(error) : undefined;
    if (refusal === undefined) throw error;
    return refusal;
  }
}

/** As the jar has it for accounts made in a browser: whoever erases the trial may delete this account. Its roles come from the group. */
function asMade(stamp: string): string {
  return JSON.stringify({ ...(JSON.parse(stamp) as object), made: true, roles: [] });
}

function refusalOf({ response, responseData }: NetworkError): Making | undefined {
  if (response.status === 409) return { result: 'exists' };
  if (response.status === 403) return { result: 'unable', detail: `Keycloak does not let the bridge make accounts: its release has no fine-grained admin permissions (26.2), or the realm does not grant them. ${GUIDE}` };
  return response.status === 400 ? refusedField(responseData) : undefined;
}

/** A password policy answers `{error, error_description}`, the user profile `{field, errorMessage, params}` or `{errors: […]}` of them. */
function refusedField(data: unknown): Making {
  const { error, error_description: words, errors, ...alone } = data as { error?: string; error_description?: string; errors?: ProfileFault[] } & ProfileFault;
  if (words !== undefined) return { result: 'refused', field: 'password', detail: `${words} (${error})` };
  const { field = '', errorMessage = 'refused by the user profile' } = errors?.[0] ?? alone;
  return { result: 'refused', field: FIELDS[field], detail: `Keycloak refuses ${FIELDS[field] ?? 'the account'}: ${errorMessage}` };
}

interface ProfileFault {
  field?: string;
  errorMessage?: string;
}
