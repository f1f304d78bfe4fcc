import type { Finding } from './finding.ts';
import type { View } from './view.ts';

/** One sentence of what is wrong, with what to do where that is not the check's own advice. */
export type Fault = string | { detail: string; advice: string };

/** What could not be looked at, and what to set so that it can. */
export interface NotLookedAt {
  notLookedAt: string;
}

/** None when all is well. */
export type Faults = readonly Fault[] | NotLookedAt;

export interface Check {
  name: string;
  run(view: View): Promise<Faults> | Faults;
  /** What to click or run. */
  advice: string;
}

export interface Diagnosis {
  passed: readonly string[];
  findings: readonly Finding[];
  skipped: readonly { check: string; why: string }[];
}

/** One after the other: people sign in at that Keycloak meanwhile. */
export async function runChecks(checks: readonly Check[], view: View): Promise<Diagnosis> {
  const all: Diagnosis[] = [];
  for (const check of checks) all.push(await runCheck(check, view));
  return together(all);
}

export function together(all: readonly Diagnosis[]): Diagnosis {
  return {
    passed: all.flatMap(({ passed }) => passed),
    findings: all.flatMap(({ findings }) => findings),
    skipped: all.flatMap(({ skipped }) => skipped),
  };
}

async function runCheck({ name, run, advice }: Check, view: View): Promise<Diagnosis> {
  const faults = await attempt(() => run(view));
  if ('notLookedAt' in faults) return { passed: [], findings: [], skipped: [{ check: name, why: faults.notLookedAt }] };
  const findings = faults.map((fault) => ({ check: name, subject: view.realm.realm, ...(typeof fault === 'string' ? { detail: fault, advice } : fault) }));
  return { passed: findings.length === 0 ? [name] : [], findings, skipped: [] };
}

async function attempt(run: () => Promise<Faults> | Faults): Promise<Faults> {
  try {
    return await run();
  } catch (error) {
    const detail = `could not be checked: ${error instanceof Error ? error.message : String(error)}`;
    return [{ detail, advice: 'Mend what the sentence says and run the doctor again.' }];
  }
}
