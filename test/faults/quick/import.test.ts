import { expect, test } from '@jest/globals';
import { REALM_CHECKS } from '../../../bridge/doctor/realm.ts';
import { runDoctor } from '../../support/doctor.ts';

/** It asks one thing after the other, and this machine may have much to do. */
const LIMIT_MS = 180_000;

test('SECURITY 1, 4, 26: the realm as shipped, imported by kc.sh import, passes every check', async () => {
  const { findings, passed, skipped, status } = await runDoctor();
  expect({ findings, skipped, status }).toEqual({ findings: [], skipped: [], status: 0 });
  expect(passed).toEqual(expect.arrayContaining(REALM_CHECKS.map(({ name }) => name)));
}, LIMIT_MS);
