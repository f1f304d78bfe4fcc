import type { Program } from './debian-program.ts';

/** Gateways that forward auth is tested behind. */
export const NGINX: Program = { names: ['nginx'], variable: 'NGINX_BIN', package: 'nginx', purpose: 'The tests of forward auth need nginx' };
export const CADDY: Program = { names: ['caddy'], variable: 'CADDY_BIN', package: 'caddy', purpose: 'The tests of forward auth need Caddy' };
