export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** What jest writes with --json, as far as it counts here. */
export interface JestResults {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  numRuntimeErrorTestSuites: number;
}

/** A suite that failed to load counts as a failed test; so does a run that ended badly without naming one. */
export function jestTally(results: JestResults | undefined, exitCode: number): Tally {
  if (!results) return { passed: 0, failed: 1, skipped: 0 };
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  return {
    passed: results.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: results.numPendingTests + results.numTodoTests,
  };
}

/** From surefire's reports. A build that failed before any test did counts as one. */
export function javaTally(reports: readonly string[], exitCode: number): Tally {
  const counts = reports.map((report) => {
    const [suite = ''] = /<testsuite\b[^>]*>/.exec(report) ?? [];
    const count = (name: string): number => Number(new RegExp(`\\s${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
    const failed = count('failures') + count('errors');
    return { passed: count('tests') - failed - count('skipped'), failed, skipped: count('skipped') };
  });
  const total = sum(counts);
  return total.failed === 0 && exitCode !== 0 ? { ...total, failed: 1 } : total;
}

export function sum(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((all, one) => all + one.passed, 0),
    failed: tallies.reduce((all, one) => all + one.failed, 0),
    skipped: tallies.reduce((all, one) => all + one.skipped, 0),
  };
}

export function formatTally({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
