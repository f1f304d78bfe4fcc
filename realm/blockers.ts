import { fits, readNodes, sizeOfPartlyAsked } from '../bridge/keycloak/nodes.ts';
import type { RealmAdmin } from './admin.ts';
import type { Blocker } from './change.ts';
import type { Owners, Place } from './flow/places.ts';
import type { UserProfile } from './people-and-roles.ts';

/** A node without the jar fails every sign-in through a flow that names it. */
export async function nodeBlockers(admin: RealmAdmin, urls: readonly string[]): Promise<Blocker[]> {
  const nodes = await readNodes(urls, () => admin.accessToken());
  const size = sizeOfPartlyAsked(nodes);
  const unlisted = size === undefined ? [] : [{ subject: 'the cluster', detail: `has ${size} nodes, of which ${new Set(urls).size} can be asked for the jar`, advice: 'List the internal address of every node in KEYCLOAK_NODE_URLS, comma-separated.' }];
  const listed = nodes.flatMap(({ url, unreachable, jar }): Blocker[] => {
    const subject = `node ${url}`;
    if (unreachable !== undefined) return [{ subject, detail: `can't be asked for its jar: ${unreachable}`, advice: 'Start it, or correct KEYCLOAK_NODE_URLS.' }];
    if (jar === undefined) return [{ subject, detail: 'has no provider jar', advice: 'Copy vestibule-keycloak.jar into its providers/, run kc.sh build, restart it.' }];
    if (!fits(jar)) return [{ subject, detail: `has the jar ${jar.version ?? 'of an unknown release'}, which does not fit`, advice: 'Copy the jar of this release into its providers/, run kc.sh build, restart it.' }];
    if (jar.keeper === undefined) return [{ subject, detail: 'has a jar without the endpoint that keeps stamps: ends and extensions would not reach it', advice: 'Copy the jar of this release into its providers/, run kc.sh build, restart it.' }];
    return [];
  });
  return [...listed, ...unlisted];
}

/** Settings that people rely on: they are theirs to change. */
export async function settingBlockers(admin: RealmAdmin, { realm, clients }: Owners): Promise<Blocker[]> {
  const profile = await admin.get<UserProfile>('/users/profile');
  const login = 'Realm settings → Login';
  const found: [boolean, string, string][] = [
    [realm['registrationEmailAsUsername'] !== true, 'user names are not e-mail addresses: an invited person would be asked for one, and two people could claim one address', `${login}: switch "Email as username" on. Who is there keeps the user name.`],
    [realm['duplicateEmailsAllowed'] === true, 'two people may have one e-mail address: an invitation could not tell whose it is', `${login}: switch "Duplicate emails" off, once no two people share one.`],
    [realm['editUsernameAllowed'] === true, 'people may change their user name, and so take the name of an invited address', `${login}: switch "Edit username" off.`],
    [profile.unmanagedAttributePolicy === 'ENABLED', 'people may write attributes that are not declared', 'Realm settings → General: set "Unmanaged Attributes" to Disabled, or to Only administrators can write.'],
    [clients.some(({ clientId, protocol }) => clientId.startsWith('vestibule-') && protocol === 'saml'), 'a SAML client has a name of ours', 'Clients → that one → Settings: give it another client id.'],
  ];
  return found.filter(([blocks]) => blocks).map(([, detail, advice]) => ({ subject: `realm ${realm.realm}`, detail, advice }));
}

export function unknownFlowBlockers(places: readonly Place[]): Blocker[] {
  return places.map(({ owner, purpose, alias }) => ({ subject: owner, detail: `has the ${purpose} flow "${alias}", which is not among the flows of the realm`, advice: 'Authentication → Flows → one that is there → Action → Bind flow.' }));
}
