#!/usr/bin/env bash
# A role for each part; Keycloak has a database of its own. Runs once, on an empty volume.
set -euo pipefail
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -v bridge="$BRIDGE_DB_PASSWORD" -v proxy="$PROXY_DB_PASSWORD" -v keycloak="$KEYCLOAK_DB_PASSWORD" <<'SQL'
create role bridge login password :'bridge';
create role proxy login password :'proxy';
create role keycloak login password :'keycloak';
create database vestibule;
create database keycloak owner keycloak;
revoke all on database vestibule, keycloak from public;
grant connect, create, temporary on database vestibule to bridge, proxy;
SQL
