import { randomBytes } from 'node:crypto';
import { accessTokens, type AccessTokens } from '../../bridge/remote-billing/access-token.ts';
import { secret } from '../../platform/secret.ts';
import { freshDatabase } from '../../test/support/database.ts';
import { loadGenerator, type Answers, type Call } from '../load/load.ts';
import { atMost, printRows, type Row } from '../report.ts';
import { alternate, medianOf, p99 } from '../rounds.ts';
import { ISSUER, openStand, type Service, type Stand } from '../stand.ts';
import { anybodyOf, fillBilling, type Person } from './fill.ts';

const FEW_USERS = 1_000;
const MANY_USERS = 1_000_000;
const MANY_USERS_QUICKLY = 20_000;
const CALLS = 10_000;
const CALLS_QUICKLY = 1_000;
const CONNECTIONS = 16;
const TOKENS = 100;

type Question = 'mint' | 'open';

interface Subject {
  name: 'select' | 'few' | 'many';
  question: Question;
  service: Service;
  calls: readonly Call[];
  /** By the proxy's service token; servers have keys of their own. */
  byProxy: boolean;
}

/** Minting a link for a billing user, and opening it, with few and with many of them; beside it the bare select of one. */
export async function billing({ quick }: { quick: boolean }): Promise<object> {
  const plan = quick ? { many: MANY_USERS_QUICKLY, calls: CALLS_QUICKLY, rounds: 1, seconds: 0.5, warmUp: 0.5 } : { many: MANY_USERS, calls: CALLS, rounds: 9, seconds: 2, warmUp: 4 };
  const stand = await openStand();
  const generator = loadGenerator();
  try {
    const subjects = await prepare(stand, plan);
    const rounds = await alternate(subjects, plan, async ({ service, calls, byProxy }, seconds) => {
      const tokens = byProxy ? await Promise.all(Array.from({ length: TOKENS }, () => stand.realm.serviceToken('vestibule-proxy', 'billing-pages', { iss: ISSUER }))) : [];
      return generator.run({ origin: service.url, connections: CONNECTIONS, seconds, calls, tokens, status: 200 });
    });
    const rows = judge(rounds);
    printRows(rows);
    return { rounds: plan.rounds, secondsEach: plan.seconds, connections: CONNECTIONS, users: [FEW_USERS, plan.many], rows };
  } finally {
    generator.close();
    await stand.close();
  }
}

async function prepare(stand: Stand, plan: { many: number; calls: number }): Promise<readonly Subject[]> {
  const [small, large] = [await freshDatabase(), await freshDatabase()];
  await fillBilling(small.adminUrl, FEW_USERS);
  await fillBilling(large.adminUrl, plan.many);
  const key = randomBytes(32).toString('base64');
  const tokens = accessTokens(secret(key), undefined);
  const env = { BILLING_TOKEN_KEY: key, BILLING_URL: 'https://billing.test' };
  const select = await stand.start('bench/billing/peer.ts', { DATABASE_URL: small.bridgeUrl }, selectOf(anybodyOf(FEW_USERS)).path);
  const subjects: Subject[] = [];
  for (const [name, database, users] of [['few', small, FEW_USERS], ['many', large, plan.many]] as const) {
    const service = await stand.startBridge(database.bridgeUrl, env);
    const people = Array.from({ length: plan.calls }, () => anybodyOf(users));
    subjects.push({ name, question: 'mint', service, calls: people.map(mintFor), byProxy: false });
    subjects.push({ name, question: 'open', service, calls: await Promise.all(people.map((person) => openFor(person, tokens))), byProxy: true });
  }
  const asked = Array.from({ length: plan.calls }, () => selectOf(anybodyOf(FEW_USERS)));
  return [...subjects, ...(['mint', 'open'] as const).map((question) => ({ name: 'select' as const, question, service: select, calls: asked, byProxy: false }))];
}

function selectOf({ realm, userUuid }: Person): Call {
  return { method: 'GET', path: `/?realm=${realm.uuid}&user=${userUuid}` };
}

/** As its server asks. */
function mintFor({ serverId, serverKey, realm, userUuid, email }: Person): Call {
  const { uuid, ownerSecret, host } = realm;
  const told = { id: 1, host, url: `https://${host}`, name: 'Realm', org_type: 10, date_created: 1_700_000_000, deactivated: false, is_system_bot_realm: false, authentication_methods: { Email: true }, uuid, uuid_owner_secret: ownerSecret };
  return {
    method: 'POST',
    path: '/api/v1/remotes/server/billing',
    headers: { authorization: `Basic ${Buffer.from(`${serverId}:${serverKey}`).toString('base64')}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ user: JSON.stringify({ uuid: userUuid, email, full_name: 'Ada Lovelace' }), realm: JSON.stringify(told) }).toString(),
  };
}

/** As the proxy asks, for a link that was minted before. */
async function openFor({ serverId, realm, userUuid, email }: Person, tokens: AccessTokens): Promise<Call> {
  const user = { uuid: userUuid, email, fullName: 'Ada Lovelace' };
  const token = await tokens.mint({ serverId, keyGeneration: 1, realm: { id: realm.uuid, user }, uriScheme: 'https://', nextPage: null, proof: undefined });
  return { method: 'POST', path: '/api/remote-billing/login/open', body: JSON.stringify({ token }) };
}

function judge(rounds: ReadonlyMap<Subject, readonly Answers[]>): readonly Row[] {
  const of = (name: Subject['name'], question: Question) => medianOf(rounds, (subject) => subject.name === name && subject.question === question, p99);
  return (['mint', 'open'] as const).flatMap((question) => {
    const [few, many, select] = [of('few', question), of('many', question), of('select', question)];
    return [
      atMost(1.3, `${question}: p99 with many billing users, against ${FEW_USERS}`, 'ms', many, few),
      { measured: `${question}: p99 beside the bare select`, unit: 'ms', value: few, peer: select, ratio: few / select },
    ];
  });
}
