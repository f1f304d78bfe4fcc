/**
 * What the app says about frames gives way to what the bridge signed, and what leads to its own path leads into the frame.
 * `raw` is name, value, name, value …
 */
export function framedBy(raw: readonly string[], { origin, appPath, prefix }: { origin: string; appPath: string; prefix: string }): string[] {
  const headers: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const [name = '', value = ''] = [raw[at], raw[at + 1]];
    const lowerName = name.toLowerCase();
    if (lowerName === 'x-frame-options') continue;
    if (lowerName === 'content-security-policy') headers.push(...withoutFrameAncestors(value).flatMap((policy) => [name, policy]));
    else if (lowerName === 'location') headers.push(name, inFrame(value, appPath, prefix));
    else headers.push(name, value);
  }
  headers.push('Content-Security-Policy', `frame-ancestors ${origin}`);
  return headers;
}

/** Policies are all enforced, also those of one header (a comma divides them): ours beside the app's without that directive. */
function withoutFrameAncestors(value: string): string[] {
  return value
    .split(',')
    .map((policy) =>
      policy
        .split(';')
        .filter((directive) => !/^\s*frame-ancestors(\s|$)/i.test(directive))
        .join(';')
        .trim(),
    )
    .filter((policy) => policy !== '');
}

function inFrame(location: string, appPath: string, prefix: string): string {
  return location === appPath || location.startsWith(`${appPath}/`) || location.startsWith(`${appPath}?`) ? prefix + location.slice(appPath.length) : location;
}
