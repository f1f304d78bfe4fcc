import { Client } from 'pg';

/** Every statement that reaches Postgres meanwhile, whole, but for those of the job worker, its waiting jobs, the sweep that adds to them, and what keeps a listener's connection. */
export async function statementsDuring(work: () => Promise<unknown>): Promise<readonly string[]> {
  const prototype = Client.prototype as unknown as { query: (...args: unknown[]) => unknown };
  const original = prototype.query;
  const texts: string[] = [];
  prototype.query = function query(this: unknown, ...args: unknown[]) {
    const [first] = args;
    texts.push(typeof first === 'string' ? first : String((first as { text?: string }).text));
    return original.apply(this, args);
  };
  try {
    await work();
  } finally {
    prototype.query = original;
  }
  return texts.filter((text) => !/"graphile_worker"|first_look_at <=|^select 1$|^\s*select.*"sign_up_request"/is.test(text));
}
