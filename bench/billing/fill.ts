import { fillTables, md5, upTo, uuid, uuidOf } from '../rows.ts';

const USERS_OF_REALM = 10;
const REALMS_OF_SERVER = 10;
/** A server may ask a thousand times a minute: fewer would run into that. */
const FEWEST_SERVERS = 100;
const TABLES = ['bridge.remote_server', 'bridge.remote_realm', 'bridge.billing_user'];

/** Somebody who may sign in to billing, and the server that vouches for them. */
export interface Person {
  serverId: string;
  serverKey: string;
  realm: { uuid: string; ownerSecret: string; host: string };
  userUuid: string;
  email: string;
}

/** That many confirmed billing users, ten to a realm, on a tenth as many servers as realms, but on at least a hundred. */
export async function fillBilling(adminUrl: string, users: number): Promise<void> {
  const [realms, servers] = [realmsOf(users), serversOf(users)];
  await fillTables(adminUrl, TABLES, async (client) => {
    await client.query(
      `insert into bridge.remote_server (id, key_hash, hostname, contact_email, registered_at, last_request_at)
       select ${uuid('server')}, sha256(convert_to(md5('key' || n) || md5('key' || n), 'UTF8')), 'server-' || n || '.example.org', 'admin@example.org', now(), now()
       from generate_series(1, $1::int) n`,
      [servers],
    );
    await client.query(
      `insert into bridge.remote_realm (id, server_id, owner_secret_hash, local_id, host, url, name, org_type, date_created, authentication_methods, is_system_bot_realm, deactivated, first_seen_at)
       select ${uuid('realm')}, ${uuid('server', '(n % $2::int + 1)')}, sha256(convert_to(md5('secret' || n), 'UTF8')), n, 'realm-' || n || '.example.org', 'https://realm-' || n || '.example.org', 'Realm', 10, now(), '{"Email": true}', false, false, now()
       from generate_series(1, $1::int) n`,
      [realms, servers],
    );
    await client.query(
      `insert into bridge.billing_user (id, realm_id, user_uuid, email, full_name, state, date_joined, last_login, tos_version)
       select ${uuid('billing')}, ${uuid('realm', '(n % $2::int + 1)')}, ${uuid('user')}, 'person-' || n || '@example.org', 'Ada Lovelace', 'confirmed', now(), now(), '1.0'
       from generate_series(1, $1::int) n`,
      [users, realms],
    );
  });
}

export function anybodyOf(users: number): Person {
  const user = upTo(users);
  const realm = (user % realmsOf(users)) + 1;
  const server = (realm % serversOf(users)) + 1;
  return {
    serverId: uuidOf('server', server),
    serverKey: md5('key', server).repeat(2),
    realm: { uuid: uuidOf('realm', realm), ownerSecret: md5('secret', realm), host: `realm-${realm}.example.org` },
    userUuid: uuidOf('user', user),
    email: `person-${user}@example.org`,
  };
}

function realmsOf(users: number): number {
  return users / USERS_OF_REALM;
}

function serversOf(users: number): number {
  return Math.max(FEWEST_SERVERS, realmsOf(users) / REALMS_OF_SERVER);
}
