import { afterEach, expect, jest, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { runDoctor } from '../../support/doctor.ts';
import { freshAddress } from '../../support/person.ts';
import { invite, isSignedIn } from '../../support/visitor.ts';
import { attempts, endsWell, everythingIsReady, openLink } from '../support/ending.ts';
import { libfaketime, shiftedClock } from '../support/faketime.ts';
import { bridgeLog, kill, start } from '../support/stand.ts';

jest.setTimeout(120_000);

const library = libfaketime();
const APART_SECONDS = 120;

afterEach(async () => {
  await kill('bridge');
  await start('bridge');
});

/** Elsewhere than on Linux no process can be given a clock of its own. */
const testOnLinux = process.platform === 'linux' ? test : test.skip;

testOnLinux.each([
  ['behind', -APART_SECONDS],
  ['ahead of', APART_SECONDS],
])('the bridge two minutes %s Keycloak: calls are refused, log and doctor name the skew, the link works once it is corrected', async (_, seconds) => {
  if (library === undefined) throw new Error('libfaketime is not there: install it (Debian: apt-get install libfaketime; Fedora: dnf install libfaketime).');
  const address = freshAddress('ada');
  const link = await invite(address);
  await kill('bridge');
  await start('bridge', shiftedClock(library, seconds));
  const before = bridgeLog().length;
  const page = await openLink(link, address);
  expect(isSignedIn(page)).toBe(false);
  expect(page.body).toContain('data-reason="unavailable"');
  const skews = await eventually(() => {
    const lines = bridgeLog().slice(before).split('\n').filter((line) => line.includes('skew_seconds'));
    return lines.length > 0 && lines.map((line) => (JSON.parse(line) as { skew_seconds: number }).skew_seconds);
  });
  expect(skews.every((skew) => Math.abs(skew + seconds) <= 2)).toBe(true);
  const { status, findings } = await runDoctor('clock');
  expect(status).toBe(1);
  expect(findings).toMatchObject([{ check: 'clock', detail: expect.stringMatching(seconds < 0 ? /is 1(19|20|21) s ahead of/ : /is 1(19|20|21) s behind/), advice: expect.stringContaining('the bridge is the wrong one') }]);
  expect(await attempts(address)).toEqual([]);
  await kill('bridge');
  await start('bridge');
  await everythingIsReady();
  expect(await runDoctor('clock')).toMatchObject({ status: 0, passed: ['clock'] });
  await endsWell(address, link);
});
