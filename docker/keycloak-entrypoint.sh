#!/usr/bin/env bash
# Keycloak keeps an unset ${VARIABLE} of the realm file as literal text, even as a secret, and says nothing: refuse to start instead.
# Nothing but bash: the image has few programs.
set -euo pipefail
realm=${REALM_FILE:-/opt/keycloak/data/import/vestibule-realm.json}
missing=
while IFS= read -r line || [[ -n $line ]]; do
  while [[ $line =~ \$\{([A-Z][A-Z0-9_]*)\} ]]; do
    name=${BASH_REMATCH[1]}
    line=${line#*"${BASH_REMATCH[0]}"}
    [[ -n ${!name:-} || " $missing " == *" $name "* ]] || missing+=" $name"
  done
done <"$realm"
if [[ -n $missing ]]; then
  echo "The realm file needs these environment variables, which are not set:$missing. Set them and start again." >&2
  exit 1
fi
exec "${KEYCLOAK_COMMAND:-/opt/keycloak/bin/kc.sh}" "$@"
