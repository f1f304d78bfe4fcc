import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { sitesFileSchema } from '../proxy/site/sites-file.ts';

export const SCHEMA_FILE = join(import.meta.dirname, '..', 'proxy', 'site', 'sites.schema.json');

/** For editors; `node dev/sites-schema.ts` writes it. */
export function sitesSchemaText(): string {
  return `${JSON.stringify({ title: 'Sites of the Vestibule proxy', ...z.toJSONSchema(sitesFileSchema, { io: 'input' }) }, null, 2)}\n`;
}

if (import.meta.main) writeFileSync(SCHEMA_FILE, sitesSchemaText());
