import type { CustomFetch } from 'openid-client';
import { AppError } from '../../platform/problem.ts';
import type { ProviderConfig } from '../site/site.ts';

/** Dials the internal address for what the metadata calls by its public one. Where there is one, nothing else is dialled: it would be a way around. */
export function internalFetch({ publicUrl, internalUrl }: Pick<ProviderConfig, 'publicUrl' | 'internalUrl'>): CustomFetch {
  return async (url, options) => {
    const internal = url.startsWith(`${publicUrl}/`) ? internalUrl + url.slice(publicUrl.length) : url;
    if (internalUrl !== publicUrl && !internal.startsWith(`${internalUrl}/`)) throw new AppError('bad_gateway', 'The sign-in service names an address that is not its own.');
    const response = await fetch(internal, options as RequestInit).catch((error: unknown) => {
      throw new AppError('bad_gateway', 'The sign-in service does not answer. Try again in a moment.', { cause: error });
    });
    if (response.status < 500) return response;
    await response.body?.cancel();
    throw new AppError('bad_gateway', 'The sign-in service has a fault. Try again in a moment.', { cause: new Error(`HTTP ${response.status}`) });
  };
}
