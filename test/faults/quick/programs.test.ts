import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { freshAddress } from '../../support/person.ts';
import { openProgram, type Program } from '../../support/program.ts';
import { invite, PASSWORD } from '../../support/visitor.ts';
import { attempts, endsWell, nothingDisagrees, userIds } from '../support/ending.ts';
import { hurry } from '../support/mails.ts';
import { CREATE_USER, kill, mendAll, relay, start } from '../support/stand.ts';

jest.setTimeout(120_000);

const SETTLES_WITHIN_MS = 40_000;
const keycloak = relay('bridge-keycloak');

let program: Program;
let address: string;
let link: string;
let request: { token: string; password: string };
beforeAll(async () => {
  program = await openProgram();
});
afterAll(() => program.remove());
beforeEach(async () => {
  address = freshAddress('ada');
  link = await invite(address);
  request = { token: new URL(link).searchParams.get('invitation_token')!, password: PASSWORD };
});
afterEach(mendAll);

/** The account is made; its answer waits in front of the bridge. */
async function madeAndNotHeard(): Promise<{ answered: Promise<unknown> }> {
  await keycloak.inject({ sees: CREATE_USER, does: 'hold-answer' });
  const answered = program.create(request).catch(() => undefined);
  await keycloak.holds();
  expect(await userIds(address)).toHaveLength(1);
  return { answered };
}

async function repeatingIsAnswered(): Promise<void> {
  const answer = await eventually(async () => {
    const again = await program.create(request);
    return again.status === 200 ? again : undefined;
  }, SETTLES_WITHIN_MS);
  expect([answer.body['user_id']]).toEqual(await userIds(address));
  expect(await program.create(request)).toEqual(answer);
}

async function theJobConfirms(): Promise<void> {
  await eventually(async () => {
    await hurry();
    return (await attempts(address)).some(({ state }) => state === 'confirmed');
  }, SETTLES_WITHIN_MS);
}

describe('the answer that the account is made is lost', () => {
  test('the same request gets the account', async () => {
    await keycloak.inject({ sees: CREATE_USER, does: 'cut-answer' });
    const { status, body } = await program.create(request);
    expect([status, body['code']]).toEqual([503, 'unavailable']);
    expect(await attempts(address)).toMatchObject([{ state: 'pending', user_id: null }]);
    await nothingDisagrees();
    await repeatingIsAnswered();
    await endsWell(address, link);
  });

  test('and nobody repeats the request: the job confirms it', async () => {
    await keycloak.inject({ sees: CREATE_USER, does: 'cut-answer' });
    expect((await program.create(request)).status).toBe(503);
    await theJobConfirms();
    await endsWell(address, link);
  });

  test('and opening the link in a browser leads the person in', async () => {
    await keycloak.inject({ sees: CREATE_USER, does: 'cut-answer' });
    expect((await program.create(request)).status).toBe(503);
    await endsWell(address, link, { hurried: true });
  });
});

describe('the bridge is killed after Keycloak made the account', () => {
  test('the same request gets it', async () => {
    const { answered } = await madeAndNotHeard();
    await kill('bridge');
    await keycloak.cut();
    await answered;
    await mendAll();
    await start('bridge');
    await repeatingIsAnswered();
    await endsWell(address, link);
  });

  test('and nobody repeats the request: the job confirms it', async () => {
    const { answered } = await madeAndNotHeard();
    await kill('bridge');
    await keycloak.cut();
    await answered;
    await mendAll();
    await start('bridge');
    await theJobConfirms();
    await endsWell(address, link);
  });
});

test('the request never reaches Keycloak: nothing exists, and the same request works', async () => {
  await keycloak.inject({ sees: CREATE_USER, does: 'cut-request' });
  expect((await program.create(request)).status).toBe(503);
  expect(await userIds(address)).toEqual([]);
  await repeatingIsAnswered();
  await endsWell(address, link);
});

test('Keycloak answers 500 to half of everything: the same request works in the end', async () => {
  await keycloak.inject({ sees: ' /admin/realms/vestibule/', does: 500, times: 1000, share: 0.5 });
  await repeatingIsAnswered();
  await mendAll();
  await endsWell(address, link);
});
