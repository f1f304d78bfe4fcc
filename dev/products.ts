import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { APP_WEBHOOK_SECRET } from './environment.ts';
import { writeWhole } from './whole-file.ts';

type Product = Record<string, unknown> & { id: string };

/**
 * The products as they are, told to the sample app, and one more whose people wait until it has made their workspace:
 * register with `"product": "prepared"`. Answers the file, which is written anew at each start.
 */
export function tellSampleApp(dataDir: string, source: string, url: string): string {
  const webhook = { url, secret_env: APP_WEBHOOK_SECRET };
  const { products } = parse(readFileSync(source, 'utf8')) as { products: [Product, ...Product[]] };
  const [first] = products;
  const prepared = products.some(({ id }) => id === 'prepared') ? [] : [{ ...first, id: 'prepared', name: `${String(first['name'])}, prepared`, webhook, provision: 'wait' }];
  const file = join(dataDir, 'products.yaml');
  writeWhole(file, `# Made at each start from ${source}: change that one.\n${stringify({ products: [...products.map((one) => ({ webhook, ...one })), ...prepared] }, { aliasDuplicateObjects: false })}`);
  return file;
}
