import type { Products } from '../../platform/products.ts';
import type { ProxyConfig } from '../config.ts';
import type { Site } from '../site/site.ts';
import { SECTIONS } from './staff-pages.ts';

/** The staff pages' own origin as a site without an app: people sign in to it as to the first one. Undefined where they stand at a site's. */
export function ownStaffSite({ staffUrl, sites: [first, ...others] }: Pick<ProxyConfig, 'staffUrl' | 'sites'>): Site | undefined {
  if (staffUrl === undefined || [first, ...others].some(({ publicUrl }) => publicUrl === staffUrl)) return undefined;
  return { ...first, publicUrl: staffUrl, upstreams: [], returnOrigins: [], cors: undefined };
}

/** What leads home there, and a sign-in that wants no page, leads to the staff pages. */
export function landingAtStaff([first, ...others]: Products): Products {
  return [{ ...first, start_url: Object.values(SECTIONS)[0] as string }, ...others];
}
