#!/usr/bin/env bash
# "Listening" comes before the realm is imported; readiness on the management port does not. The image has no curl.
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/${1:-9000}"
printf 'GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 5 status <&3
[[ $status == *' 200 '* ]]
