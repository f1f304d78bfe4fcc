import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TOLD = ['user', 'user_email', 'user_name', 'user_roles', 'user_groups', 'trial_app', 'trial_ends_at'];

/** One process that asks ours about every request, and passes it to the app itself: the snippet of docs/proxy.md, with connections kept. */
export function nginxArguments(folder: string, addresses: { port: number; proxy: string; app: string }): string[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(folder, addresses));
  return ['-p', folder, '-e', join(folder, 'error.log'), '-c', file];
}

function configuration(folder: string, { port, proxy, app }: { port: number; proxy: string; app: string }): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(folder, name)};`);
  return `
daemon off; master_process off; pid ${join(folder, 'nginx.pid')};
events { worker_connections 1024; }
http {
  access_log off; ${temporary.join(' ')}
  upstream proxy { server ${new URL(proxy).host}; keepalive 64; keepalive_requests 100000000; }
  upstream app { server ${new URL(app).host}; keepalive 64; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port}; keepalive_requests 100000000;
    proxy_http_version 1.1; proxy_set_header Connection "";
    location = /livez { return 200; }
    location = /_vestibule { internal; proxy_pass http://proxy/api/auth; proxy_pass_request_body off; proxy_set_header Connection ""; proxy_set_header Content-Length "";
      proxy_set_header X-Original-URI $request_uri; proxy_set_header X-Original-Method $request_method; proxy_set_header X-Original-Host $http_host; }
    location / {
      auth_request /_vestibule;
      ${TOLD.map((name) => `auth_request_set $told_${name} $upstream_http_x_${name}; proxy_set_header X-${name.replaceAll('_', '-')} $told_${name};`).join('\n      ')}
      proxy_set_header Connection "";
      proxy_pass http://app;
    }
  }
}
`;
}
