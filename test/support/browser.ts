import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AxeResults, RunOptions } from 'axe-core';
import axeCore from 'axe-core';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { findChromium } from '../../dev/chromium.ts';

const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const SCREENSHOTS = join(import.meta.dirname, '..', '..', 'docs', 'img');
const DESKTOP = { width: 1280, height: 800 };
export const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

export interface TestBrowser {
  /** A page in a context of its own: no cookie is shared with another. */
  newPage(options?: BrowserContextOptions): Promise<Page>;
  /** Closes every context that was opened; call it after each test. */
  closePages(): Promise<void>;
  close(): Promise<void>;
}

/** One Chromium for a test file. */
export async function launchBrowser(): Promise<TestBrowser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error('No Chromium was found: install it, or set CHROME_BIN.');
  const browser: Browser = await chromium.launch({ executablePath, args: ARGS, headless: true });
  const open = new Set<BrowserContext>();
  const closePages = async (): Promise<void> => {
    await Promise.all([...open].map((context) => context.close()));
    open.clear();
  };
  return {
    newPage: async (options) => {
      const context = await browser.newContext({ viewport: DESKTOP, locale: 'en', ...options });
      open.add(context);
      return context.newPage();
    },
    closePages,
    close: async () => {
      await closePages();
      await browser.close();
    },
  };
}

export interface Violation {
  rule: string;
  help: string;
  where: string[];
}

/** What axe finds wrong on the page as it stands, by rules of these tags, else by those that axe has on by itself. Frames are left out: in one that forbids scripts axe would wait for ever. */
export async function axe(page: Page, tags?: string[]): Promise<Violation[]> {
  // What is fine is not written down in full, which is most of what axe takes its time for.
  const options: RunOptions = { ...(tags && { runOnly: tags }), resultTypes: ['violations'], iframes: false };
  await page.evaluate(`if (!window.axe) { ${axeCore.source} }`);
  const { violations } = await page.evaluate<AxeResults>(`axe.run(document, ${JSON.stringify(options)})`);
  return violations.map(({ id, help, nodes }) => ({ rule: id, help, where: nodes.map((node) => node.target.join(' ')) }));
}

/** Into docs/img, and only where UPDATE_SCREENSHOTS=1 asks for it. */
export async function screenshot(page: Page, name: string): Promise<void> {
  if (process.env['UPDATE_SCREENSHOTS'] !== '1') return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}
