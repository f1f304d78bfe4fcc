import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import { PROBLEMS, type ProblemCode } from '../../platform/problem.ts';
import { inWords } from '../keycloak/service-token.ts';
import { endpoints, type Route } from './route.ts';

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
export function openApiDocument(routes: readonly Route[], others: ZodOpenApiPathsObject = {}): object {
  const paths: ZodOpenApiPathsObject = { ...others };
  for (const ways of endpoints(routes)) {
    const [one] = ways;
    for (const path of [one.path, ...(one.aliases ?? [])]) {
      const described = path.replace(/:(\w+)/g, '{$1}');
      paths[described] = { ...paths[described], [one.method]: operation(ways, described) };
    }
  }
  return createDocument({
    openapi: '3.1.0',
    info: { title: 'Vestibule bridge', version: '1.0.0', description: 'Invitations, registrations and trials; billing of self-hosted servers.' },
    components: {
      securitySchemes: {
        serviceToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        serverKey: { type: 'http', scheme: 'basic', description: "A self-hosted server's id and key" },
      },
    },
    paths,
  });
}

/** Who may ask in several ways is told by the description: OpenAPI has no words for "this body with that role". */
function operation(ways: readonly [Route, ...Route[]], path: string): ZodOpenApiOperationObject {
  const [one] = ways;
  return {
    summary: ways.map(({ summary }) => summary).join(' '),
    operationId: `${one.method}${path.replace(/[^a-z]+(\w)/gi, (_all, letter: string) => letter.toUpperCase())}`,
    ...(one.caller === 'anybody'
      ? {}
      : { security: [{ serviceToken: [] }], description: `Needs ${ways.map(callerInWords).join(', or ')}.` }),
    ...(one.params === undefined && one.query === undefined && one.headers === undefined
      ? {}
      : { requestParams: { ...(one.params && { path: one.params as z.ZodObject }), ...(one.query && { query: one.query as z.ZodObject }), ...(one.headers && { header: one.headers }) } }),
    ...(one.body === undefined ? {} : { requestBody: { required: true, content: { 'application/json': { schema: either(ways.flatMap(({ body }) => body ?? [])) } } } }),
    responses: {
      [String(one.status)]: one.streams
        ? { description: 'Server-sent events; the data of each is JSON', content: { 'text/event-stream': { schema: eventWith(one.reply) } } }
        : { description: 'Success', content: { 'application/json': { schema: either(ways.map(({ reply }) => reply)) } } },
      ...Object.fromEntries(problemAnswers(one, ways.flatMap(({ problems }) => problems))),
    },
  };
}

/** An event is described as an object, its data as text (spec.openapis.org/registry/media-type/sse). */
function eventWith(data: z.ZodType): z.ZodType {
  const contentSchema = z.toJSONSchema(data, { io: 'output' });
  return z.object({ event: z.string(), id: z.string().optional(), data: z.string().meta({ contentMediaType: 'application/json', contentSchema }) });
}

function callerInWords({ caller }: Route): string {
  return caller === 'anybody' ? caller : inWords(caller);
}

function either(schemas: readonly z.ZodType[]): z.ZodType {
  const [one, ...others] = schemas;
  return one !== undefined && others.length === 0 ? one : z.union(schemas);
}

function problemAnswers(one: Route, problems: readonly ProblemCode[]) {
  const always: ProblemCode[] = one.params === undefined && one.body === undefined && one.query === undefined && one.headers === undefined ? [] : ['invalid_request'];
  if (one.body !== undefined) always.push('payload_too_large', 'unsupported_media_type');
  if (one.caller !== 'anybody') always.push('unauthorized', 'forbidden');
  const codes = [...new Set([...always, ...problems])];
  const statuses = [...new Set(codes.map((code) => PROBLEMS[code][0]))].sort();
  return statuses.map((status) => {
    const here = codes.filter((code) => PROBLEMS[code][0] === status);
    return [String(status), { description: here.join(', '), content: { 'application/problem+json': { schema: problemSchema } } }] as const;
  });
}
