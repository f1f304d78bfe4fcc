import { ensureProgram, findProgram, type Program } from './debian-program.ts';

const CHROMIUM: Program = { names: ['chromium', 'chromium-browser', 'google-chrome'], variable: 'CHROME_BIN', package: 'chromium', purpose: 'The browser tests need Chromium' };

/** CHROME_BIN, else the first Chromium on PATH. */
export function findChromium(env?: Readonly<Record<string, string | undefined>>): string | undefined {
  return findProgram(CHROMIUM, env);
}

/** Installs Debian's Chromium where that is possible. */
export function ensureChromium(): string {
  return ensureProgram(CHROMIUM);
}
