import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Eta, type TemplateFunction } from 'eta';
import type { Product } from '../../platform/products.ts';
import type { BillingMailKind } from '../db/remote-billing.schema.ts';
import type { MailKind } from '../db/schema.ts';
import { chooseLocale } from '../http/locale.ts';
import type { LinksIn } from './links.ts';

const OUR_TEMPLATES = join(import.meta.dirname, 'templates');

/** What their last line offers is to get no more of them. */
const UNASKED: ReadonlySet<string> = new Set(['trial_reminder', 'trial_grace', 'trial_over', 'trial_extended', 'trial_converted']);

/** In whose name a mail goes out, and from whose templates: a product, or who sells to self-hosted servers. */
export type MailSender = Pick<Product, 'name' | 'locale' | 'time_zone' | 'mail'>;

export interface MailContent {
  address: string;
  /** Empty in mails that carry no invitation. */
  signUpUrl: string;
  /** Of mails that offer a trial to an account that is there. */
  joinUrl?: string | undefined;
  expiresAt: Date | undefined;
  notMeUrl: string;
  /** Where signing in leads, when not where the proxy lands by itself. */
  landing: string | undefined;
  /** What else the template of this kind fills in. */
  details?: Readonly<Record<string, string | undefined>>;
}

export interface RenderedMail {
  from: string;
  subject: string;
  html: string;
  text: string;
}

export type RenderMail = (sender: MailSender, locale: string, kind: MailKind | BillingMailKind, content: MailContent) => RenderedMail;

/** A language is a folder: adding one needs no code. */
export function mailLocales(): readonly string[] {
  return readdirSync(OUR_TEMPLATES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

export function mailRenderer(links: LinksIn, defaultFrom: string): RenderMail {
  const forHtml = new Eta({ autoTrim: false });
  const forText = new Eta({ autoTrim: false, autoEscape: false });
  const compiled = new Map<string, TemplateFunction>();
  const fill = (engine: Eta, product: MailSender, file: string, it: object) => {
    const key = `${product.mail.templates}\0${file}`;
    const template = compiled.get(key) ?? engine.compile(readTemplate(product, file));
    compiled.set(key, template);
    return engine.render(template, it);
  };
  const available = mailLocales();
  return (product, asked, kind, content) => {
    // Keycloak and programs say languages that we need not have.
    const locale = chooseLocale(available, asked, undefined, product.locale);
    const words = JSON.parse(readTemplate(product, `${locale}/words.json`)) as Record<string, string>;
    const ending = UNASKED.has(kind) ? 'not_me_trial' : `not_me_${kind}`;
    const notMe = { not_me: words[ending] ?? words['not_me'], not_me_link: words[`${ending}_link`] ?? words['not_me_link'] };
    const it = { ...links(locale, content.landing), ...content, ...content.details, product, locale, words: { ...words, ...notMe }, expires: whenInWords(content.expiresAt, locale, product.time_zone) };
    const subject = fill(forText, product, `${locale}/${kind}.subject.eta`, it).trim();
    const html = fill(forHtml, product, `${locale}/${kind}.html.eta`, it);
    const text = fill(forText, product, `${locale}/${kind}.text.eta`, it);
    return {
      from: product.mail.from ?? defaultFrom,
      subject,
      html: fill(forHtml, product, 'layout.html.eta', { ...it, subject, body: html }),
      text: fill(forText, product, 'layout.text.eta', { ...it, body: text.trim() }),
    };
  };
}

/** A product's own folder may hold any of the files; what it lacks is taken from ours. */
function readTemplate(product: MailSender, file: string): string {
  const own = join(resolve(product.mail.templates), file);
  return readFileSync(existsSync(own) ? own : join(OUR_TEMPLATES, file), 'utf8');
}

/** In the reader's language and the product's time zone, which is named. */
function whenInWords(instant: Date | undefined, locale: string, timeZone: string): string {
  if (instant === undefined) return '';
  return new Intl.DateTimeFormat(locale, {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    hour: 'numeric',
    minute: '2-digit',
    timeZone,
    timeZoneName: 'short',
  }).format(instant);
}
