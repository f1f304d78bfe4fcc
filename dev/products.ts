import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { APP_WEBHOOK_SECRET } from './environment.ts';
import { writeWhole } from './whole-file.ts';

type Product = Record<string, unknown> & { app: Record<string, unknown> };

/**
 * The products file of this stack: the given one, told to the sample app; in it the first product may be framed by the demo page,
 * and one more makes its people wait until their workspace is there (register with `"product": "prepared"`). Answers its path.
 */
export function productsFileFor(dataDir: string, given: string, { embedOrigin, webhookUrl }: { embedOrigin: string; webhookUrl: string }): string {
  const webhook = { url: webhookUrl, secret_env: APP_WEBHOOK_SECRET };
  const { products } = parse(readFileSync(given, 'utf8')) as { products: [Product, ...Product[]] };
  const [first, ...others] = products;
  const origins = (first.app['embed_origins'] ?? []) as string[];
  const framed = { webhook, ...first, app: { ...first.app, embed_origins: [...new Set([...origins, embedOrigin])] } };
  const prepared = { ...first, id: 'prepared', name: `${String(first['name'])}, prepared`, webhook, provision: 'wait' };
  const file = join(dataDir, 'products.yaml');
  writeWhole(file, `# Made at each start from ${given}: change that one.\n${stringify({ products: [framed, ...others.map((one) => ({ webhook, ...one })), prepared] }, { aliasDuplicateObjects: false })}`);
  return file;
}
