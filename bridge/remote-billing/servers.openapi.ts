import { z } from 'zod';
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi';
import type { ServerRoute } from './servers.routes.ts';

const serverError = z
  .object({ result: z.literal('error'), msg: z.string(), code: z.string(), 'retry-after': z.int().optional() })
  .meta({ id: 'ServerError', description: "In Zulip's shape" });
const success = z.object({ result: z.literal('success'), msg: z.string() });

/** The servers' endpoints: forms in, JSON out. */
export function serverPaths(routes: readonly ServerRoute[]): ZodOpenApiPathsObject {
  return Object.fromEntries(routes.map((route) => [route.path, { [route.method]: operation(route) }]));
}

function operation(route: ServerRoute): ZodOpenApiOperationObject {
  return {
    summary: route.summary,
    operationId: `${route.method}${route.path.replace(/[^a-z]+(\w)/gi, (_all, letter: string) => letter.toUpperCase())}`,
    ...(route.basic ? { security: [{ serverKey: [] }] } : {}),
    ...(route.method === 'post' ? { requestBody: { required: !route.form.safeParse({}).success, content: contentOf(route) } } : {}),
    responses: {
      '200': { description: 'Success', content: { 'application/json': { schema: z.intersection(success, route.reply) } } },
      default: { description: 'Refused: the code says why', content: { 'application/json': { schema: serverError } } },
    },
  };
}

function contentOf({ form: schema, json }: ServerRoute) {
  return { 'application/x-www-form-urlencoded': { schema }, ...(json && { 'application/json': { schema } }) };
}
