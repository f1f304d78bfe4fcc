import { randomUUID } from 'node:crypto';
import { insertLife } from '../../../bridge/life/life.store.ts';
import { creationOf, eventually, type TestBridge } from '../support/bridge.ts';

const DAY = 86_400;

export interface Person {
  address: string;
  userId: string;
  /** Of the life. */
  id: string;
}

/** Somebody with an invitation and the life that it began. */
export async function invited(bridge: TestBridge, address = `ada.${randomUUID()}@example.com`): Promise<{ address: string; token: string; id: string }> {
  const id = await bridge.db.transaction().execute((trx) => insertLife(trx, { product: 'app', address, locale: 'en', beganAt: bridge.clock.now() }));
  return { address, id, token: await bridge.invite({ address, lifeId: id }) };
}

/** Somebody who signed up now. */
export async function signedUp(bridge: TestBridge, as?: string): Promise<Person> {
  const { address, id, token } = await invited(bridge, as);
  const creation = creationOf(token, { username: address });
  await bridge.asStep('/api/trial/creation', creation);
  await bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome: 'committed' });
  return { address, id, userId: creation.user_id };
}

/** Days go by, and the sweep comes. */
export async function pass(bridge: TestBridge, days: number, sweep: () => Promise<unknown>): Promise<void> {
  bridge.clock.pass(days * DAY);
  await sweep();
}

export async function read(bridge: TestBridge, { id }: { id: string }): Promise<Record<string, unknown> & { timeline: { kind: string; from: string | null; to: string | null; actor: string; reason: string | null; request_id: string | null; detail: Record<string, unknown> }[] }> {
  const { body } = await bridge.asManager(`/api/trial/${id}`);
  return body as never;
}

export async function mailsTo(bridge: TestBridge, address: string): Promise<string[]> {
  await bridge.settled();
  return bridge.inbox.messages().filter((message) => message.to === address).map(({ subject }) => subject);
}

export { eventually };
