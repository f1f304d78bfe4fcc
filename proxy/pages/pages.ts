import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Eta } from 'eta';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

export type Translate = (key: string, values?: Readonly<Record<string, string>>) => string;

export interface Language {
  code: string;
  /** In its own words, for the switch. */
  name: string;
}

export interface Pages {
  /** From the files in `messages/`: a language is added by a file alone. */
  languages: readonly Language[];
  /** The first of these wishes that there is a file for; `fr-CA` finds `fr`. */
  choose(wishes: readonly (string | undefined)[]): string;
  translate(language: string): Translate;
  render(template: string, language: string, data: object): string;
  assets: ReadonlyMap<string, Asset>;
}

export interface Asset {
  type: string;
  body: Buffer;
  /** With its content's hash, so that it may be kept for ever. */
  url: string;
  version: string;
}

const FALLBACK = 'en';
const TYPES: Readonly<Record<string, string>> = { css: 'text/css; charset=utf-8', svg: 'image/svg+xml' };

export function loadPages(): Pages {
  const messages = new Map(
    readdirSync(`${FOLDER}messages`)
      .filter((file) => file.endsWith('.json'))
      .map((file) => [file.slice(0, -'.json'.length), JSON.parse(readFileSync(`${FOLDER}messages/${file}`, 'utf8')) as Record<string, string>]),
  );
  const languages = [...messages].map(([code, texts]) => ({ code, name: texts['language.name'] ?? code }));
  const fallback = messages.get(FALLBACK) ?? {};
  const assets = new Map(readdirSync(`${FOLDER}assets`).map((file) => [file, asset(file)]));
  const eta = new Eta({ views: `${FOLDER}templates`, cache: true, rmWhitespace: false });

  const translate = (language: string): Translate => {
    const texts = messages.get(language) ?? fallback;
    return (key, values = {}) => {
      const text = texts[key] ?? fallback[key];
      if (text === undefined) throw new Error(`There is no message ${key}`);
      return text.replace(/\{(\w+)\}/g, (_hole, name: string) => values[name] ?? '');
    };
  };
  return {
    languages,
    assets,
    translate,
    choose: (wishes) => {
      for (const wish of wishes) {
        const known = languages.find(({ code }) => code === wish?.toLowerCase()) ?? languages.find(({ code }) => code === wish?.toLowerCase().split('-', 1)[0]);
        if (known) return known.code;
      }
      return FALLBACK;
    },
    render: (template, language, data) => {
      const t = translate(language);
      return eta.render(template, { language, languages, direction: t('language.direction'), t, asset: (file: string) => assets.get(file)?.url, ...data });
    },
  };
}

function asset(file: string): Asset {
  const body = readFileSync(`${FOLDER}assets/${file}`);
  const version = createHash('sha256').update(body).digest('hex').slice(0, 12);
  return { body, version, type: TYPES[file.split('.').at(-1) ?? ''] ?? 'application/octet-stream', url: `/trial/assets/${file}?v=${version}` };
}

/** "2 minutes", in the person's language. */
export function waitInWords(seconds: number, language: string): string {
  const [amount, unit] = seconds < 90 ? [Math.max(1, seconds), 'second'] : seconds < 5400 ? [Math.ceil(seconds / 60), 'minute'] : [Math.ceil(seconds / 3600), 'hour'];
  return new Intl.NumberFormat(language, { style: 'unit', unit: String(unit), unitDisplay: 'long' }).format(Number(amount));
}
