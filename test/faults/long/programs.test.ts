import { afterEach, expect, jest, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { freshAddress } from '../../support/person.ts';
import { openProgram, type Program } from '../../support/program.ts';
import { invite, PASSWORD } from '../../support/visitor.ts';
import { attempts, endsWell, userIds } from '../support/ending.ts';
import { holdUserCommits } from '../support/held-commit.ts';
import { CREATE_USER, kill, mendAll, relay, start } from '../support/stand.ts';

jest.setTimeout(180_000);

const SETTLES_WITHIN_MS = 40_000;
const keycloak = relay('bridge-keycloak');

afterEach(mendAll);

async function makesAnAccount(): Promise<{ address: string; link: string; program: Program; request: { token: string; password: string } }> {
  const address = freshAddress('ada');
  const link = await invite(address);
  return { address, link, program: await openProgram(), request: { token: new URL(link).searchParams.get('invitation_token')!, password: PASSWORD } };
}

async function theSameRequestWorks({ address, link, program, request }: Awaited<ReturnType<typeof makesAnAccount>>, answered: Promise<{ status: number }>, users: number): Promise<void> {
  expect([502, 503]).toContain((await answered).status);
  await mendAll();
  await start('keycloak');
  expect(await userIds(address)).toHaveLength(users);
  expect(await attempts(address)).toMatchObject([{ state: 'pending' }]);
  await eventually(async () => (await program.create(request)).status === 200, SETTLES_WITHIN_MS);
  await endsWell(address, link, { hurried: true });
  await program.remove();
}

test.each([
  ['before it commits', 'lose', 0],
  ['in its commit, which Postgres has already', 'letGo', 1],
] as const)('Keycloak is killed while it makes the account, %s: the same request works', async (_, ends, users) => {
  const account = await makesAnAccount();
  const commit = await holdUserCommits();
  const answered = account.program.create(account.request);
  await commit.waits();
  await kill('keycloak');
  await commit[ends]();
  await theSameRequestWorks(account, answered, users);
});

test('Keycloak is killed while it makes the account, after it committed, before it answers: the same request works', async () => {
  const account = await makesAnAccount();
  await keycloak.inject({ sees: CREATE_USER, does: 'hold-answer' });
  const answered = account.program.create(account.request);
  await keycloak.holds();
  expect(await userIds(account.address)).toHaveLength(1);
  await kill('keycloak');
  await keycloak.cut();
  await theSameRequestWorks(account, answered, 1);
});
