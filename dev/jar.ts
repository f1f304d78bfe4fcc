import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { maven, type Workshop } from './maven.ts';
import { StartError } from './start-error.ts';

export interface Jar {
  file: string;
  /** Of its sources: two builds of the same sources differ in their bytes only. */
  hash: string;
}

/** The provider jar, built again only when its sources changed. */
export async function ensureJar(root: string, workshop: Workshop, note: (text: string) => void): Promise<Jar> {
  const module = join(root, 'keycloak');
  if (!existsSync(join(module, 'pom.xml'))) throw new StartError(`${join(module, 'pom.xml')} is missing: the checkout is not complete.`);
  const hash = hashOfSources(module);
  const file = join(workshop.cacheDir, `vestibule-keycloak-${hash.slice(0, 16)}.jar`);
  if (existsSync(file)) {
    note('unchanged');
    return { file, hash };
  }
  await maven(workshop, 'Building the provider jar', 'jar', ['package', '-Dmaven.test.skip=true'], module);
  copyFileSync(join(module, 'target', 'vestibule-keycloak.jar'), `${file}.${process.pid}`);
  renameSync(`${file}.${process.pid}`, file);
  return { file, hash };
}

/** Of the module's folder; docs/versions.md names its first twelve digits. */
export function hashOfSources(module: string): string {
  const hash = createHash('sha256');
  const sources = readdirSync(join(module, 'src', 'main'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const file of [join(module, 'pom.xml'), ...sources.sort()]) hash.update(file.slice(module.length)).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}
