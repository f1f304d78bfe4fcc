/** Every address that a mail shows. Built from configuration only (SECURITY.md 10). */
export interface Links {
  signIn: string;
  resetPassword: string;
  contact: string;
  invitation(token: string, nextPage: string | null): string;
  notMe(token: string): string;
}

export function mailLinks(config: {
  proxyUrl: string;
  proxyClientId: string;
  contactUrl: string;
  keycloak: { issuer: string };
}): Links {
  return {
    signIn: `${config.proxyUrl}/api/login`,
    resetPassword: address(`${config.keycloak.issuer}/login-actions/reset-credentials`, { client_id: config.proxyClientId }),
    contact: config.contactUrl,
    invitation: (token, nextPage) =>
      address(`${config.proxyUrl}/api/login`, { invitation_token: token, ...(nextPage === null ? {} : { next_page: nextPage }) }),
    notMe: (token) => address(`${config.proxyUrl}/trial/not-me`, { t: token }),
  };
}

function address(base: string, query: Record<string, string>): string {
  return `${base}?${new URLSearchParams(query).toString()}`;
}
