import { acceptedLanguages } from '../../platform/locale.ts';

/** The first language that we have: of the request, of the browser in its order, of the product. */
export function chooseLocale(
  available: readonly string[],
  asked: string | undefined,
  acceptLanguage: string | undefined,
  otherwise: string,
): string {
  const wanted = [asked, ...acceptedLanguages(acceptLanguage), otherwise];
  for (const tag of wanted) {
    const language = tag?.toLowerCase().split(/[-_]/, 1)[0];
    if (language !== undefined && available.includes(language)) return language;
  }
  return available.includes('en') ? 'en' : (available[0] ?? otherwise);
}
