import type { Check, Faults } from './check.ts';
import type { View } from './view.ts';

/** Keycloak's own messages are written `${lowerCase}`; what the realm file names is upper case. */
const PLACEHOLDER = /\$\{[A-Z][A-Z0-9_]*(?::[^}]*)?\}/g;

export const settingChecks: readonly Check[] = [
  { name: 'realm-settings', run: realmSettings, advice: 'Realm settings → Login, and → Security defenses → Brute force detection: change it as said.' },
  { name: 'user-profile', run: userProfile, advice: 'Realm settings → User profile: trial_stamp, viewed and edited by admins only; General → Unmanaged attributes: disabled.' },
  {
    name: 'placeholders',
    run: placeholders,
    advice: 'Enter the value: Clients → that one → Settings and Credentials; Realm settings → Email; Authentication → the flow → the gear of the step. The variable was not set at the import, so Keycloak kept its name; with it set, the realm can also be deleted and imported again.',
  },
  {
    name: 'client-registration',
    run: anonymousRegistration,
    advice: 'Clients → Client registration → Anonymous access policies: "Trusted Hosts" with no host, so that nobody registers a client without a token.',
  },
];

function realmSettings({ realm }: View): Faults {
  return [
    realm['enabled'] === false ? 'the realm is disabled' : '',
    realm['registrationAllowed'] ? '' : 'registration is off: prompt=create does not work; the invitation step is what closes it',
    realm['editUsernameAllowed'] ? 'people may change their user name' : '',
    realm['duplicateEmailsAllowed'] ? 'two people may have one e-mail address' : '',
    realm['bruteForceProtected'] ? '' : 'brute-force detection is off',
    realm['registrationEmailAsUsername'] ? '' : 'the e-mail address is not the user name',
    realm['defaultSignatureAlgorithm'] === undefined || realm['defaultSignatureAlgorithm'] === 'RS256' ? '' : `tokens are signed with ${String(realm['defaultSignatureAlgorithm'])}: the bridge takes RS256 (Realm settings → Tokens)`,
  ].filter(Boolean);
}

interface Profile {
  attributes?: readonly { name: string; permissions?: { view?: readonly string[]; edit?: readonly string[] } }[];
  unmanagedAttributePolicy?: string;
}

async function userProfile({ read }: View): Promise<Faults> {
  const profile = await read<Profile>('/users/profile');
  const stamp = profile?.attributes?.find(({ name }) => name === 'trial_stamp');
  const roles = [...(stamp?.permissions?.view ?? []), ...(stamp?.permissions?.edit ?? [])];
  return [
    stamp === undefined ? 'trial_stamp is not declared: Keycloak drops it, and no trial ends' : '',
    roles.includes('user') ? 'people may see or change trial_stamp' : '',
    profile?.unmanagedAttributePolicy === 'ENABLED' ? 'unmanaged attributes are on: people may write some' : '',
  ].filter(Boolean);
}

/** In the whole realm as it can be read: an unset variable stays as literal text, even as a secret. */
async function placeholders(view: View): Promise<Faults> {
  const { realm, clients, list, read, clientScopes, identityProviders } = view;
  const flows = await view.flows();
  const steps = (await Promise.all(flows.map(({ alias }) => list<{ authenticationConfig?: string }>(`/authentication/flows/${encodeURIComponent(alias)}/executions`)))).flat();
  const configIds = new Set(steps.flatMap(({ authenticationConfig }) => authenticationConfig ?? []));
  const [configs, scopes, providers, components] = await Promise.all([
    Promise.all([...configIds].map((id) => read<{ alias: string }>(`/authentication/config/${id}`))),
    clientScopes(),
    identityProviders(),
    list<{ name: string }>('/components'),
  ]);
  const parts: readonly (readonly [string, unknown])[] = [
    ['the realm', realm],
    ...clients.map((one) => [`client ${one.clientId}`, one] as const),
    ...configs.map((one) => [`the step settings "${one?.alias}"`, one] as const),
    ...scopes.map((one) => [`client scope ${one.name}`, one] as const),
    ...providers.map((one) => [`identity provider ${one.alias}`, one] as const),
    ...components.map((one) => [`component ${one.name}`, one] as const),
  ];
  return parts.flatMap(([where, what]) => {
    const found = [...new Set(JSON.stringify(what ?? null).match(PLACEHOLDER) ?? [])];
    return found.length === 0 ? [] : [`${where} has ${found.join(', ')} as literal text`];
  });
}

interface Component {
  providerId: string;
  subType?: string;
  config?: Readonly<Record<string, readonly string[]>>;
}

async function anonymousRegistration({ list }: View): Promise<Faults> {
  const policies = await list<Component>('/components?type=org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy');
  const trusted = policies.find(({ providerId, subType }) => providerId === 'trusted-hosts' && subType === 'anonymous');
  if (trusted === undefined) return ['anybody may register a client: there is no policy of trusted hosts'];
  const hosts = (trusted.config?.['trusted-hosts'] ?? []).filter(Boolean);
  const checked = trusted.config?.['host-sending-registration-request-must-match']?.[0] !== 'false';
  return [
    ...(hosts.length > 0 ? [`clients may be registered without a token from ${hosts.join(', ')}`] : []),
    ...(checked ? [] : ['clients may be registered without a token from any host']),
  ];
}
