import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import { PROBLEMS, type ProblemCode } from '../../platform/problem.ts';
import type { Route } from './route.ts';

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    request_id: z.string(),
    field: z.string().optional().meta({ description: 'The part of the request that is meant, by its path', example: 'attributes.team' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457' });

/** OpenAPI 3.1, from the same declarations that validate. */
export function openApiDocument(routes: readonly Route[]): object {
  const paths: ZodOpenApiPathsObject = {};
  for (const one of routes) {
    for (const path of [one.path, ...(one.aliases ?? [])]) {
      paths[path] = { ...paths[path], [one.method]: operation(one, path) };
    }
  }
  return createDocument({
    openapi: '3.1.0',
    info: { title: 'Vestibule bridge', version: '1.0.0', description: 'Invitations, registrations and trials.' },
    components: { securitySchemes: { serviceToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    paths,
  });
}

function operation(one: Route, path: string): ZodOpenApiOperationObject {
  return {
    summary: one.summary,
    operationId: `${one.method}${path.replace(/[^a-z]+(\w)/gi, (_all, letter: string) => letter.toUpperCase())}`,
    ...(one.caller === 'anybody'
      ? {}
      : { security: [{ serviceToken: [] }], description: `A service token of \`${one.caller.clientId}\` with the role \`${one.caller.role}\`.` }),
    ...(one.query === undefined ? {} : { requestParams: { query: one.query as z.ZodObject } }),
    ...(one.body === undefined ? {} : { requestBody: { required: true, content: { 'application/json': { schema: one.body } } } }),
    responses: {
      [String(one.status)]: { description: 'Success', content: { 'application/json': { schema: one.reply } } },
      ...Object.fromEntries(problemAnswers(one)),
    },
  };
}

function problemAnswers(one: Route) {
  const always: ProblemCode[] = one.body === undefined && one.query === undefined ? [] : ['invalid_request'];
  if (one.body !== undefined) always.push('payload_too_large', 'unsupported_media_type');
  if (one.caller !== 'anybody') always.push('unauthorized', 'forbidden');
  const codes = [...new Set([...always, ...one.problems])];
  const statuses = [...new Set(codes.map((code) => PROBLEMS[code][0]))].sort();
  return statuses.map((status) => {
    const here = codes.filter((code) => PROBLEMS[code][0] === status);
    return [String(status), { description: here.join(', '), content: { 'application/problem+json': { schema: problemSchema } } }] as const;
  });
}
