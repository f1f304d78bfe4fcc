import { afterEach, expect, jest, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { freshAddress } from '../../support/person.ts';
import { openProgram } from '../../support/program.ts';
import { invite, PASSWORD } from '../../support/visitor.ts';
import { attempts, endsWell, userIds } from '../support/ending.ts';
import { CREATE_USER, kill, mendAll, relay, start } from '../support/stand.ts';

jest.setTimeout(180_000);

const SETTLES_WITHIN_MS = 40_000;
const keycloak = relay('bridge-keycloak');
const database = relay('keycloak-postgres');

afterEach(mendAll);

test.each([
  ['before it commits', 'hold-request', 0],
  ['after it committed, before it answers', 'hold-answer', 1],
] as const)('Keycloak is killed while it makes the account, %s: the same request works', async (_, does, users) => {
  const address = freshAddress('ada');
  const link = await invite(address);
  const program = await openProgram();
  const request = { token: new URL(link).searchParams.get('invitation_token')!, password: PASSWORD };
  await keycloak.inject({ sees: CREATE_USER, does: 'hold-request' });
  const answered = program.create(request);
  await keycloak.holds();
  if (does === 'hold-request') {
    await database.inject({ sees: '', does, times: 1000 });
    await keycloak.release();
    await database.holds();
  } else {
    await keycloak.inject({ sees: '', does, times: 1000 });
    await keycloak.release();
    await eventually(async () => (await userIds(address)).length === 1);
  }
  await kill('keycloak');
  await Promise.all([database.cut(), keycloak.cut()]);
  expect([502, 503]).toContain((await answered).status);
  await mendAll();
  await start('keycloak');
  expect(await userIds(address)).toHaveLength(users);
  expect(await attempts(address)).toMatchObject([{ state: 'pending' }]);
  await eventually(async () => (await program.create(request)).status === 200, SETTLES_WITHIN_MS);
  await endsWell(address, link, { hurried: true });
  await program.remove();
});
