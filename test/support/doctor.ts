import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseEnv } from 'node:util';
import { stack } from './stack.ts';
import { STACK_VARIABLE } from './stack-variable.ts';

/** The environment that a part of the stack runs with. */
export function environmentOf(part: 'bridge' | 'proxy'): Record<string, string> {
  return parseEnv(readFileSync(join(dirname(process.env[STACK_VARIABLE] ?? ''), `${part}.env`), 'utf8')) as Record<string, string>;
}

export function bridgeEnvironment(): Record<string, string> {
  return environmentOf('bridge');
}

export interface Diagnosis {
  status: number;
  passed: string[];
  skipped: { check: string; why: string }[];
  findings: { check: string; subject: string; detail: string; advice: string }[];
}

/** `npm run doctor -- <what>` against the stack; all that it looks at, where nothing is said. */
export async function runDoctor(what?: string, more: Readonly<Record<string, string>> = {}): Promise<Diagnosis> {
  const { admin } = stack();
  const env = { ...process.env, ...bridgeEnvironment(), DOCTOR_ADMIN_USERNAME: admin.username, DOCTOR_ADMIN_PASSWORD: admin.password, ...more };
  const doctor = spawn(process.execPath, ['bridge/doctor/main.ts', ...(what === undefined ? [] : [what]), '--json'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [answer, [status]] = await Promise.all([text(doctor.stdout), once(doctor, 'close')]);
  return { status, ...JSON.parse(answer) };
}
