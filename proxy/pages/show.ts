import type { Request, Response } from 'express';
import { acceptedLanguages } from '../../platform/locale.ts';
import { findProduct, type Product, type Products } from '../../platform/products.ts';
import { requestIdOf } from '../../platform/http.ts';
import { pathOf } from '../../platform/request-target.ts';
import { onlyCookie, readCookies, type CookieJar } from '../cookie.ts';
import type { Pages, Translate } from './pages.ts';

const LANGUAGE_COOKIE_SECONDS = 365 * 24 * 3600;
/** What a page's link to another language keeps of its address. Never a token, code or state: they stay off pages. */
const KEPT_IN_LINKS = ['product', 'next_page', 'login', 'why'];

export interface Showing {
  pages: Pages;
  cookies: CookieJar;
  products: Products;
}

export interface Page {
  template: string;
  title: string;
  status?: number;
  product?: Product;
  /** `form`: switching posts `#page-form` and keeps the input. `none`: the page stands at an address of the app. */
  languageSwitch?: 'link' | 'form' | 'none';
  /** Where the link to another language leads, when not to this very address. */
  languagePath?: string;
  showRequestId?: boolean;
  /** Its address holds no token: browsers may tell our own forms where they came from, which plain http needs (same-origin.ts). */
  tokenFree?: boolean;
  data?: object;
}

export interface Button {
  label: string;
  name?: string;
  value?: string;
  quiet?: boolean;
}

/** A page that says one thing and offers the next step. */
export interface Notice extends Omit<Page, 'template' | 'data'> {
  icon?: 'door' | 'mail' | 'done' | 'people' | 'clock' | 'alert';
  paragraphs: readonly string[];
  list?: readonly string[];
  form?: { action: string; hidden?: Readonly<Record<string, string>>; buttons: readonly Button[] };
  links?: readonly { href: string; label: string; quiet?: boolean }[];
  small?: string;
}

/** `?lang=` or the switch on a form, then what was chosen before, then what the browser asks for, then the product's. */
export function languageOf({ pages, cookies, products }: Showing, req: Request, product: Product = products[0]): string {
  const body = (req.body ?? {}) as Record<string, unknown>;
  const chosen = [body['switch_lang'], req.query['lang'], body['lang']].filter((one) => typeof one === 'string');
  return pages.choose([...chosen, onlyCookie(readCookies(req.headers.cookie), cookies.language), ...acceptedLanguages(req.headers['accept-language']), product.locale]);
}

/** What was chosen by `?lang=` or by the switch is the language of later pages too. */
export function keepLanguage({ cookies }: Showing, req: Request, res: Response, language: string): void {
  const chosen = text(((req.body ?? {}) as Record<string, unknown>)['switch_lang']) ?? text(req.query['lang']);
  if (chosen === language) res.append('Set-Cookie', cookies.set(cookies.language, language, LANGUAGE_COOKIE_SECONDS));
}

export function translateFor(showing: Showing, req: Request, product?: Product): Translate {
  return showing.pages.translate(languageOf(showing, req, product));
}

export function show(showing: Showing, req: Request, res: Response, page: Page): void {
  const product = page.product ?? findProduct(showing.products, text(req.query['product'])) ?? showing.products[0];
  const language = languageOf(showing, req, product);
  if (page.tokenFree) res.set('Referrer-Policy', 'same-origin');
  keepLanguage(showing, req, res, language);
  const html = showing.pages.render(page.template, language, {
    title: page.title,
    product: product.name,
    homeUrl: product.start_url,
    languages: page.languageSwitch === 'none' ? [] : showing.pages.languages,
    formId: page.languageSwitch === 'form' ? 'page-form' : undefined,
    languageUrl: (code: string) => inLanguage(req, page.languagePath, code),
    requestId: page.showRequestId ? requestIdOf(res) : undefined,
    wide: page.template === 'trial',
    ...page.data,
  });
  res
    .status(page.status ?? 200)
    .type('html')
    .set('Content-Language', language)
    .send(html);
}

export function showNotice(showing: Showing, req: Request, res: Response, notice: Notice): void {
  const { icon, paragraphs, list, form, links, small, ...page } = notice;
  show(showing, req, res, { ...page, template: 'notice', data: { icon, paragraphs, list, form, links, small } });
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function inLanguage(req: Request, path: string | undefined, code: string): string {
  const [pathname = '/', given = ''] = (path ?? `${pathOf(req.originalUrl)}?${kept(req)}`).split('?', 2);
  const query = new URLSearchParams(given);
  query.set('lang', code);
  return `${pathname}?${query.toString()}`;
}

function kept(req: Request): string {
  const pairs = KEPT_IN_LINKS.flatMap((name) => {
    const value = text(req.query[name]);
    return value === undefined ? [] : [[name, value] as [string, string]];
  });
  return new URLSearchParams(pairs).toString();
}
