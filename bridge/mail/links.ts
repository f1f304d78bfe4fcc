import type { Product, Products } from '../../platform/products.ts';

/** Every address that a mail shows. Built from configuration only (SECURITY.md 10). */
export interface Links {
  signIn: string;
  resetPassword: string;
  contact: string;
  invitation(token: string): string;
  join(token: string): string;
  notMe(token: string): string;
}

/** The links of a mail lead to pages in the mail's language; sign-in and sign-up end at `landing`, else where the proxy lands by itself. */
export type LinksIn = (locale: string, landing?: string) => Links;

export function mailLinks(config: {
  proxyUrl: string;
  proxyClientId: string;
  contactUrl: string;
  keycloak: { issuer: string };
}): LinksIn {
  // A reset that ends at the login address signs in at once; without one it ends on a page of Keycloak, signed out.
  const login = `${config.proxyUrl}/api/login`;
  return (locale, landing) => ({
    signIn: address(login, { next_page: landing, lang: locale }),
    resetPassword: address(`${config.keycloak.issuer}/login-actions/reset-credentials`, { client_id: config.proxyClientId, redirect_uri: login, kc_locale: locale }),
    contact: config.contactUrl,
    invitation: (token) => address(login, { invitation_token: token, next_page: landing, lang: locale }),
    join: (token) => address(`${config.proxyUrl}/trial/join`, { t: token, next_page: landing, lang: locale }),
    notMe: (token) => address(`${config.proxyUrl}/trial/not-me`, { t: token, lang: locale }),
  });
}

/** Where a mail about `product` leads: the page that was asked for, else the product's own. The proxy lands at the default product's by itself. */
export function landingOf(products: Products, product: Product, nextPage: string | null): string | undefined {
  return nextPage ?? (product.start_url === products[0].start_url ? undefined : product.start_url);
}

function address(base: string, query: Record<string, string | undefined>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return `${base}?${new URLSearchParams(given).toString()}`;
}
