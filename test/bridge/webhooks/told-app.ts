import { randomBytes } from 'node:crypto';
import { addJob } from '../../../bridge/db/job.ts';
import { loadProducts, type Product } from '../../../platform/products.ts';
import { openBridge, type TestBridge } from '../support/bridge.ts';
import { startReceiver, type Receiver } from './receiver.ts';

export const SECRET_NAME = 'THE_APPS_SECRET';
export const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;

export interface ToldApp {
  bridge: TestBridge;
  app: Receiver;
  secret: string;
  /** The time of trials goes by, and the sweep comes. */
  days(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Tries follow each other at once, so that a test sees many. */
const QUICK = { WEBHOOK_RETRY_SECONDS: '0.001', WEBHOOK_TIME_LIMIT_SECONDS: '1' };

/** A bridge whose first product has an app that hears of its trials. */
export async function openToldApp({ env, product }: { env?: Record<string, string>; product?: Partial<Product> } = {}): Promise<ToldApp> {
  const secret = newSecret();
  const app = await startReceiver(secret);
  const [first] = loadProducts('products.yaml');
  const bridge = await openBridge({
    env: { ...QUICK, [SECRET_NAME]: secret, ...env },
    products: [{ ...first, webhook: { url: app.url, secret_env: [SECRET_NAME] }, ...product }],
  });
  return {
    bridge,
    app,
    secret,
    days: async (count) => {
      bridge.clock.pass(count * 86_400);
      await addJob(bridge.db, 'sweep_lives', {}, { key: 'sweep_lives' });
      await bridge.settled();
    },
    close: async () => {
      await bridge.close();
      await app.stop();
    },
  };
}
