import { afterEach, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { freshAddress } from '../../support/person.ts';
import { inbox, queryDatabase } from '../../support/stack.ts';
import { invite, register } from '../../support/visitor.ts';
import { endsWell, finishes, nothingDisagrees } from '../support/ending.ts';
import { hurry, invitationIn, linkOf, mailStates, mailsTo } from '../support/mails.ts';
import { END_OF_MAIL, mendAll, OUTCOME, refuseMails, relay } from '../support/stand.ts';

afterEach(mendAll);

async function invitations(address: string): Promise<number> {
  return (await queryDatabase('select id from bridge.invitation where address = $1', [address])).length;
}

test('a recipient whom the mail server refuses is not tried again, and others get their mail', async () => {
  const refused = freshAddress('refused');
  await refuseMails(refused, 550);
  await register(refused);
  await eventually(async () => (await mailStates(refused))[0] === 'failed');
  expect(await invitations(refused)).toBe(0);
  await hurry();
  const address = freshAddress('ada');
  await endsWell(address, await invite(address));
  expect(await mailsTo(refused)).toBe(0);
});

test('a mail that is answered with 4xx comes once the server takes it, once', async () => {
  const address = freshAddress('ada');
  await refuseMails(address, 451, 421);
  await register(address);
  await eventually(async () => {
    await hurry();
    return (await mailStates(address))[0] === 'sent';
  });
  expect(await invitations(address)).toBe(1);
  await endsWell(address, await linkOf(address));
});

test('a mail that the server took while its answer was lost comes twice, both links work, and one spends both', async () => {
  const address = freshAddress('ada');
  await relay('bridge-smtp').inject({ sees: END_OF_MAIL, does: 'cut-answer' });
  await register(address);
  await eventually(async () => {
    await hurry();
    return (await mailStates(address))[0] === 'sent';
  });
  const links = (await inbox.messages()).filter((message) => message.to === address).map(invitationIn);
  expect(new Set(links).size).toBe(2);
  expect(await invitations(address)).toBe(2);
  await endsWell(address, links.at(-1)!, { mails: 2 });
  await endsWell(address, links[0]!, { mails: 2 });
});

test('an admin API that fails half of the time delays mails and confirmations, and loses none', async () => {
  const keycloak = relay('bridge-keycloak');
  await keycloak.inject({ sees: 'GET /admin/', does: 503, share: 0.25, times: 1000 });
  await keycloak.inject({ sees: 'GET /admin/', does: 'cut-request', share: 0.3, times: 1000 });
  await relay('keycloak-bridge').inject({ sees: OUTCOME, does: 'cut-request', times: 1000 });
  const addresses = Array.from({ length: 3 }, () => freshAddress('ada'));
  await Promise.all(addresses.map((address) => register(address)));
  await eventually(async () => {
    await hurry();
    return (await Promise.all(addresses.map(mailsTo))).every((count) => count === 1);
  }, 30_000);
  for (const address of addresses) await finishes(address, await linkOf(address), { hurried: true });
  await mendAll();
  await nothingDisagrees();
});
