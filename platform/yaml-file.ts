import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { ConfigError } from './config.ts';

/** What a YAML file holds. Throws {@link ConfigError}: by the variable that names the file where it can't be read, by `unusable` where it is no YAML. */
export function readYamlFile(path: string, variable: string, unusable: (faults: readonly string[]) => ConfigError): unknown {
  return readYaml(readText(path, variable), unusable);
}

/** What YAML text holds; throws `unusable` where it is none. */
export function readYaml(text: string, unusable: (faults: readonly string[]) => ConfigError): unknown {
  try {
    return parse(text);
  } catch (error) {
    // The first line says what and where; after it comes an excerpt.
    const [first = ''] = (error as Error).message.split('\n', 1);
    throw unusable([first.replace(/:$/, '')]);
  }
}

function readText(path: string, variable: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const what = code === 'ENOENT' ? 'there is no such file' : `it can't be read (${code})`;
    throw new ConfigError([`${variable}: ${resolve(path)}: ${what}`]);
  }
}
