import type { Account, Accounts } from '../keycloak/accounts.ts';
import { readStamp } from '../keycloak/stamp.ts';
import type { Registration } from './registration.store.ts';

/** The id of the user that came of an attempt, as Keycloak shows it now. */
export async function seenUserId(accounts: Pick<Accounts, 'findById' | 'findByAddress'>, registration: Registration): Promise<string | undefined> {
  const { userId, madeBy, address } = registration;
  if (registration.joins && userId !== null) return isStamped(await accounts.findById(userId), registration) ? userId : undefined;
  if (madeBy !== null || userId === null) {
    const holder = await accounts.findByAddress(address);
    return isOf(holder, registration) ? holder.id : undefined;
  }
  // The id alone decides. The name is read second, so that a commit between the two reads counts as present.
  if ((await accounts.findById(userId)) !== undefined) return userId;
  return (await accounts.findByAddress(address))?.id === userId ? userId : undefined;
}

// Nobody but an admin writes stamps, and nobody else knows the id of the small app: the account was born with this attempt's.
function isOf(account: Account | undefined, registration: Registration): account is Account {
  return account?.username === registration.address && isStamped(account, registration);
}

function isStamped(account: Account | undefined, { trialAppId }: Registration): boolean {
  return account?.stamps.flatMap(readStamp).some((stamp) => stamp.trial_app === trialAppId) === true;
}
