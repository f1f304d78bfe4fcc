/** Every address that a mail shows. Built from configuration only (SECURITY.md 10). */
export interface Links {
  signIn: string;
  resetPassword: string;
  contact: string;
  invitation(token: string, nextPage: string | null): string;
  notMe(token: string): string;
}

/** The links of a mail lead to pages in the mail's language. */
export type LinksIn = (locale: string) => Links;

export function mailLinks(config: {
  proxyUrl: string;
  proxyClientId: string;
  contactUrl: string;
  keycloak: { issuer: string };
}): LinksIn {
  const login = `${config.proxyUrl}/api/login`;
  return (locale) => ({
    signIn: address(login, { lang: locale }),
    resetPassword: address(`${config.keycloak.issuer}/login-actions/reset-credentials`, { client_id: config.proxyClientId, kc_locale: locale }),
    contact: config.contactUrl,
    invitation: (token, nextPage) => address(login, { invitation_token: token, ...(nextPage === null ? {} : { next_page: nextPage }), lang: locale }),
    notMe: (token) => address(`${config.proxyUrl}/trial/not-me`, { t: token, lang: locale }),
  });
}

function address(base: string, query: Record<string, string>): string {
  return `${base}?${new URLSearchParams(query).toString()}`;
}
