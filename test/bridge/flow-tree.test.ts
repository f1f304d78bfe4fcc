import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { treeOf, whyNotLast, type Execution } from '../../bridge/doctor/flow-tree.ts';
import { REALM_CHECKS } from '../../bridge/doctor/realm.ts';

const END = 'the-end';

/** `R cookie`, indented by its depth; names in capitals are sub-flows. */
function flow(...lines: readonly string[]) {
  return treeOf(lines.map(toExecution));
}

const REQUIREMENTS: Record<string, string> = { R: 'REQUIRED', A: 'ALTERNATIVE', C: 'CONDITIONAL', D: 'DISABLED' };

function toExecution(line: string): Execution {
  const [, indent = '', requirement = '', name = ''] = /^( *)([RACD]) (.+)$/.exec(line) ?? [];
  const authenticationFlow = name === name.toUpperCase();
  return { level: indent.length, displayName: name, requirement: REQUIREMENTS[requirement] ?? '', authenticationFlow, ...(authenticationFlow ? {} : { providerId: name }) };
}

describe('SECURITY 4: nobody comes through a flow but by its end', () => {
  test.each<[string, string[]]>([
    ['behind the sign-in', ['R SIGN-IN', ' A cookie', ' A form', 'R the-end']],
    ['behind steps that are REQUIRED', ['R name', 'R password', 'C SECOND', ' R otp', 'R the-end']],
    ['alone', ['R the-end']],
    ['at the end of a sub-flow that is the last one', ['R SIGN-IN', ' A cookie', 'R AFTER', ' R terms', ' R the-end']],
    ['at the end of every alternative', ['A ONE', ' R form', ' R the-end', 'A OTHER', ' R code', ' R the-end']],
    ['before what is switched off', ['R SIGN-IN', ' A cookie', 'R the-end', 'D terms']],
  ])('%s', (_, lines) => {
    expect(whyNotLast(flow(...lines), END)).toBeUndefined();
  });

  test.each<[string, string[], string]>([
    ['missing', ['R name', 'R password'], 'has no the-end'],
    ['an empty flow', [], 'has no the-end'],
    ['switched off', ['R name', 'D the-end'], 'has no the-end'],
    ['in a sub-flow that is switched off', ['R name', 'D AFTER', ' R the-end'], 'has no the-end'],
    ['ALTERNATIVE', ['A cookie', 'A the-end'], 'lets people in by cookie without'],
    ['alone and ALTERNATIVE', ['A the-end'], 'which is ALTERNATIVE'],
    ['REQUIRED beside ALTERNATIVE', ['A cookie', 'A form', 'R the-end'], 'beside ALTERNATIVE steps (cookie, form)'],
    ['followed by a step', ['R name', 'R the-end', 'R terms'], 'goes on with terms after'],
    ['followed by a sub-flow', ['R the-end', 'R SIGN-IN', ' A cookie'], 'goes on with SIGN-IN after'],
    ['in a sub-flow beside ALTERNATIVE steps', ['R AFTER', ' A cookie', ' R the-end'], 'beside ALTERNATIVE steps (cookie)'],
    ['in a conditional sub-flow', ['R name', 'C AFTER', ' R the-end'], 'in AFTER only, which is CONDITIONAL'],
    ['in one alternative of two', ['A ONE', ' R form', ' R the-end', 'A OTHER', ' R code'], 'has no the-end'],
  ])('not when it is %s', (_, lines, why) => {
    expect(whyNotLast(flow(...lines), END)).toContain(why);
  });
});

test('docs/operating.md tells of every check of the realm', () => {
  const page = readFileSync('docs/operating.md', 'utf8');
  expect(REALM_CHECKS.map(({ name }) => name).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test('names of checks differ', () => {
  const names = REALM_CHECKS.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
});
