import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import type { Router } from 'express';
import { createApp } from '../bridge/app.ts';
import { createLog } from '../platform/log.ts';
import { clockRoutes } from '../bridge/clock/clock.routes.ts';
import { mailPreviewRoutes } from '../bridge/mail/preview.routes.ts';
import { movableClock } from '../platform/clock.ts';
import { loadProducts } from '../platform/products.ts';
import { loadPages } from '../proxy/pages/pages.ts';
import { routes, type RouteParts } from '../proxy/routes.ts';

const README = readFileSync('README.md', 'utf8');
const products = loadProducts('products.yaml');

interface Layer {
  route?: { path: string; methods: Record<string, boolean> };
  handle: { stack?: Layer[] };
}

/** Routes that are declared and not called need next to nothing of what they are made with. */
const proxy = (): Router => routes({ products, pages: loadPages(), publicUrl: 'http://localhost', health: { dependencies: {} }, billingHere: true, staffHere: true } as unknown as RouteParts);
const bridge = (): Router => {
  const developmentRoutes = [clockRoutes(movableClock(), async () => {}), mailPreviewRoutes(products, unused, unused, undefined)];
  const using = { products, billing: {}, dependencies: {}, developmentRoutes, guard: { demand: () => unused }, meter: {}, log: createLog('bridge', 'silent') };
  return createApp(using as unknown as Parameters<typeof createApp>[0]).router;
};

test.each([
  ['Proxy', proxy],
  ['Bridge', bridge],
])('%s: the table of URLs in README.md is what the code declares', (part, router) => {
  expect(tableOf(part)).toEqual(declared((router() as unknown as { stack: Layer[] }).stack).toSorted());
});

function unused(): never {
  throw new Error('is declared only');
}

/** `GET /path`, a preflight's OPTIONS left out. */
function declared(layers: readonly Layer[]): string[] {
  return layers.flatMap(({ route, handle }) => {
    if (!route) return declared(handle.stack ?? []);
    const methods = Object.keys(route.methods).filter((method) => ['get', 'post', 'put', 'patch', 'delete'].includes(method));
    return methods.map((method) => `${method.toUpperCase()} ${route.path.replace(/:(\w+)/g, '{$1}')}`);
  });
}

/** A path without methods has those of the path before it. */
function tableOf(part: string): string[] {
  const [, table = ''] = README.split(`\n**${part}** `);
  const cells = table.split('\n\n')[1]?.matchAll(/^\| (`.*?) \|/gm) ?? [];
  return [...cells].flatMap(([, cell = '']) => {
    let methods: string[] = [];
    return [...cell.matchAll(/`(?:([A-Z, ]+) )?(\/[^`?]*)/g)].flatMap(([, given, path = '']) => {
      methods = given?.split(', ') ?? methods;
      return methods.map((method) => `${method} ${path}`);
    });
  }).toSorted();
}
