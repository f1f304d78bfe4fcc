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

function acceptedLanguages(header: string | undefined): readonly string[] {
  return (header ?? '')
    .slice(0, 500)
    .split(',')
    .map((item) => {
      const [tag = '', ...parameters] = item.trim().split(';');
      const quality = parameters.map((one) => /^\s*q=([\d.]+)\s*$/.exec(one)?.[1]).find(Boolean);
      return { tag: tag.trim(), quality: quality === undefined ? 1 : Number(quality) };
    })
    .filter(({ quality }) => quality > 0)
    .sort((one, other) => other.quality - one.quality)
    .map(({ tag }) => tag);
}
