import type { Break } from './breaking.ts';
import { realm } from './breaking.ts';

/** What an admin switches on: Authentication → Policies → Webauthn Passwordless Policy → Enable passkeys; a passkey that is a second factor at once. */
const PASSKEYS = {
  webAuthnPolicyPasswordlessPasskeysEnabled: true,
  webAuthnPolicyPasswordlessRequireResidentKey: 'Yes',
  webAuthnPolicyPasswordlessUserVerificationRequirement: 'required',
};
export const NO_PASSKEYS = { webAuthnPolicyPasswordlessPasskeysEnabled: false };

export const passkeys: Break = realm(PASSKEYS);

/** Of making a passkey. */
export function requiredAction(patch: object): Break {
  return async (admin) => {
    const path = '/authentication/required-actions/webauthn-register-passwordless';
    const before = await admin.get(path);
    await admin.put(path, { ...before, ...patch });
    return () => admin.put(path, before);
  };
}
