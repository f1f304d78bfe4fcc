import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SELECTS } from '../../bench/callbacks/selects.ts';
import { creationOf, openBridge, type TestBridge } from './support/bridge.ts';
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
