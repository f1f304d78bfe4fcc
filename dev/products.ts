import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { writeWhole } from './whole-file.ts';

/** The products file of this stack: the given one, in which the first product may be framed by the demo page. Answers its path. */
export function productsFileFor(dataDir: string, given: string, embedOrigin: string): string {
  const document = parseDocument(readFileSync(given, 'utf8'));
  const listed = (document.getIn(['products', 0, 'app', 'embed_origins']) as { toJSON(): string[] } | undefined)?.toJSON() ?? [];
  document.setIn(['products', 0, 'app', 'embed_origins'], [...new Set([...listed, embedOrigin])]);
  const file = join(dataDir, 'products.yaml');
  writeWhole(file, document.toString());
  return file;
}
