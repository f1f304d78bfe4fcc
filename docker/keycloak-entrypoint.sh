#!/usr/bin/env bash
# Keycloak keeps an unset ${VARIABLE} of the realm file as literal text, even as a secret, and says nothing: refuse to start instead.
set -euo pipefail
realm=${REALM_FILE:-/opt/keycloak/data/import/vestibule-realm.json}
missing=()
while IFS= read -r name; do
  [[ -n "${!name:-}" ]] || missing+=("$name")
done < <(grep -oE '\$\{[A-Z][A-Z0-9_]*\}' "$realm" | tr -d '${}' | sort -u)
if ((${#missing[@]})); then
  echo "The realm file needs these environment variables, which are not set: ${missing[*]}. Set them and start again." >&2
  exit 1
fi
exec /opt/keycloak/bin/kc.sh "$@"
