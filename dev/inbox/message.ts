import { randomUUID } from 'node:crypto';
import PostalMime, { type Address } from 'postal-mime';

export interface Message {
  id: string;
  to: string;
  from: string;
  subject: string;
  text: string;
  html: string;
  /** Every address that the mail links to, in its order, once each. */
  links: string[];
  received_at: string;
}

export interface Envelope {
  from: string;
  to: readonly string[];
}

export async function parseMessage(raw: Buffer, envelope: Envelope): Promise<Message> {
  const mail = await PostalMime.parse(raw);
  const to = mail.to?.flatMap(addressesOf) ?? [];
  const html = mail.html ?? '';
  const text = mail.text ?? '';
  return {
    id: randomUUID(),
    to: (to.length > 0 ? to : envelope.to).join(', '),
    from: (mail.from ? addressesOf(mail.from) : [])[0] ?? envelope.from,
    subject: mail.subject ?? '',
    text,
    html,
    links: linksIn(text, html),
    received_at: new Date().toISOString(),
  };
}

/** Of both bodies. */
export function linksIn(text: string, html: string): string[] {
  const fromHtml = [...html.matchAll(/<a\b[^>]*?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)].map(([, double, single]) => unescapeHtml(double ?? single ?? ''));
  const fromText = [...text.matchAll(/\bhttps?:\/\/[^\s<>"']+/g)].map(([link]) => withoutPunctuation(link));
  return [...new Set([...fromHtml, ...fromText])].filter((link) => /^https?:\/\//.test(link));
}

function withoutPunctuation(link: string): string {
  const cut = link.replace(/[.,;:!?]+$/, '');
  return cut.endsWith(')') && !cut.includes('(') ? cut.slice(0, -1) : cut;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeHtml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name ?? ''] ?? whole;
  });
}

function addressesOf(address: Address): string[] {
  if (address.group) return address.group.map((one) => one.address);
  return address.address ? [address.address] : [];
}
