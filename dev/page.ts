interface Page {
  title: string;
  body: string;
  style: string;
  bodyAttributes?: string;
}

/** The frame and the colours that the inbox and the sample app share. */
export function page({ title, body, style, bodyAttributes = '' }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>${BASE_STYLE}${style}</style>
</head>
<body${bodyAttributes}>${body}</body>
</html>`;
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}

const BASE_STYLE = `
:root { --ink: #0f172a; --soft: #526077; --line: #e2e8f0; --brand: #4f46e5; --tint: #eef2ff; --ground: #f5f6fa; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
a { color: var(--brand); }
a:focus-visible, button:focus-visible, summary:focus-visible { outline: 3px solid #a5b4fc; outline-offset: 2px; border-radius: .3rem; }
button { font: inherit; padding: .35rem .9rem; border-radius: .5rem; cursor: pointer; }
`;
