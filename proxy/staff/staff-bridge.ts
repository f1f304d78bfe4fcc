import type { Request, Response } from 'express';
import { clientAddress } from '../../platform/client-address.ts';
import { requestIdOf } from '../../platform/http.ts';
import { AppError, PROBLEMS, type Problem } from '../../platform/problem.ts';
import type { Answer, Asking } from '../bridge/bridge.ts';
import type { StaffParts } from './staff-gate.ts';

/**
 * A call of the bridge for somebody of the staff. Its refusals (4xx) come with the bridge's own code, sentence and field; whatever
 * else it answers is `bad_gateway`.
 */
export async function askForStaff<Reply>({ bridge, trustedProxies }: Pick<StaffParts, 'bridge' | 'trustedProxies'>, req: Request, res: Response, path: string, message: object, how?: Asking): Promise<Reply> {
  const answer = await bridge.ask(path, message, { address: clientAddress(req, trustedProxies), requestId: requestIdOf(res) }, how);
  if (answer.status === 200) return JSON.parse(answer.body.toString('utf8')) as Reply;
  const problem = answer.status < 500 && answer.status !== 401 && answer.status !== 403 ? problemIn(answer) : undefined;
  if (problem) throw new AppError(problem.code, problem.detail, { field: problem.field });
  throw new AppError('bad_gateway', 'Try again in a minute.', { cause: new Error(`${path.split('?', 1)[0]} answered ${answer.status}`) });
}

function problemIn({ body }: Answer): Problem | undefined {
  try {
    const problem = JSON.parse(body.toString('utf8')) as Problem;
    return Object.hasOwn(PROBLEMS, problem.code) ? problem : undefined;
  } catch {
    return undefined;
  }
}
