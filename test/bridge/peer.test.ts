import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { BILLING_USER } from '../../bench/billing/selects.ts';
import { SELECTS } from '../../bench/callbacks/selects.ts';
import { creationOf, openBridge, type TestBridge } from './support/bridge.ts';
import { newPerson, openBilling } from './remote-billing/support/billing.ts';
import { statementsDuring } from './support/statements.ts';

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge();
});
afterAll(() => bridge.close());

test('what the bench compares verify with is what the bridge sends', async () => {
  const token = await bridge.invite();
  expect(await statementsDuring(() => bridge.asStep('/api/trial/verify', { token }))).toEqual([SELECTS.verify]);
});

test('what the bench compares infos with is what the bridge sends about somebody with a trial', async () => {
  const creation = creationOf(await bridge.invite());
  await bridge.asStep('/api/trial/creation', creation);
  const ask = () => bridge.asStep(`/api/trial/infos?user_id=${creation.user_id}&client_id=vestibule-proxy`);
  expect(await statementsDuring(ask)).toEqual([SELECTS.infos]);
});

test("what the bench sees billing beside is how the bridge finds a realm's billing user, when a link is minted and when it is opened", async () => {
  const billing = await openBilling();
  try {
    const { server, realm } = await billing.place();
    const person = newPerson();
    let token = '';
    const minting = await statementsDuring(async () => {
      token = await billing.access(server, realm, person);
    });
    expect(minting).toContain(BILLING_USER);
    expect(await statementsDuring(() => billing.pages('login/open', { token }))).toContain(BILLING_USER);
  } finally {
    await billing.close();
  }
});
