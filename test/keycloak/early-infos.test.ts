import { expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { httpBrowser } from '../../platform/http-browser.ts';
import { createPerson, type Person } from '../support/person.ts';
import { stack } from '../support/stack.ts';
import { questionsAboutTrials } from './support/infos.ts';

/** decisions/0029: the bridge is asked about a trial while the password is hashed, and once. */
const CLIENT = 'vestibule-proxy';

test.each([
  ['with a trial', [CLIENT], 'the right one', 1, 'in'],
  ['with a trial', [CLIENT], 'a wrong one', 1, 'refused'],
  ['without a trial', [], 'the right one', 0, 'in'],
  ['without a trial', [], 'a wrong one', 0, 'refused'],
])('somebody %s (of %j) who sends %s: %i question, %s', async (_who, clients, sent, questions, end) => {
  // The first login of a Keycloak asks late: nobody has told the form yet where the bridge is.
  await signIn(await createPerson([CLIENT], 3600));
  const person = await createPerson(clients, 3600);
  const before = await questionsAboutTrials();
  expect(await signIn(person, sent === 'a wrong one' ? 'a wrong pass phrase' : person.password)).toBe(end);
  await eventually(async () => (await questionsAboutTrials()) >= before + questions);
  expect(await questionsAboutTrials()).toBe(before + questions);
});

async function signIn(person: Person, password = person.password): Promise<'in' | 'refused'> {
  const browser = httpBrowser();
  const login = await browser.get(`${stack().proxy}/api/login`);
  const end = await browser.submit(login.form('kc-form-login'), { username: person.username, password });
  return end.url.startsWith(stack().proxy) ? 'in' : 'refused';
}
