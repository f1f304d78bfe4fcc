import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export const CAPTCHA_SECRET = 'captcha-secret-0123456789';
export const SITE_KEY = 'site-key-0123456789';

export interface CaptchaService {
  url: string;
  /** What a browser would get by solving the widget; good once. */
  solve(hostname?: string): string;
  /** Every form that it was asked by. */
  asked: readonly URLSearchParams[];
  /** From now on: as the real ones, or in some way away. */
  behave(how: 'well' | { status: number; body: string } | 'hanging'): void;
  close(): Promise<void>;
}

/** Answers as Turnstile's and hCaptcha's siteverify do: each answer once, and only with the right secret. */
export async function openCaptchaService(): Promise<CaptchaService> {
  const asked: URLSearchParams[] = [];
  const solved = new Map<string, { hostname: string; used: boolean }>();
  let behaviour: Parameters<CaptchaService['behave']>[0] = 'well';

  const verdict = (form: URLSearchParams): object => {
    if (form.get('secret') !== CAPTCHA_SECRET) return { success: false, 'error-codes': ['invalid-input-secret'] };
    const answer = solved.get(form.get('response') ?? '');
    if (answer === undefined) return { success: false, 'error-codes': ['invalid-input-response'] };
    if (answer.used) return { success: false, 'error-codes': ['timeout-or-duplicate'] };
    answer.used = true;
    return { success: true, challenge_ts: new Date().toISOString(), hostname: answer.hostname, 'error-codes': [] };
  };

  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => void chunks.push(chunk));
    req.on('end', () => {
      asked.push(new URLSearchParams(Buffer.concat(chunks).toString()));
      if (behaviour === 'hanging') return;
      const { status, body } = behaviour === 'well' ? { status: 200, body: JSON.stringify(verdict(asked.at(-1) ?? new URLSearchParams())) } : behaviour;
      res.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/siteverify`,
    solve: (hostname = 'proxy.test') => {
      const answer = `solved-${solved.size}-${Math.random().toString(36).slice(2)}`;
      solved.set(answer, { hostname, used: false });
      return answer;
    },
    asked,
    behave: (how) => {
      behaviour = how;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
