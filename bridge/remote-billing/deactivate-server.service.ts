import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import type { Db } from '../db/schema.ts';
import { recordAct, type AuditEntry } from './audit.store.ts';
import { endBillingSessions } from './billing-session.store.ts';
import type { From } from './caller.ts';
import { hasPricedPlan } from './plans/plan.store.ts';
import { deactivateServer, findServerForUpdate } from './server.store.ts';

/** A server gives up its registration. Not while it, or a realm of it, pays or is to pay. */
export async function giveUpServer(db: Db, using: { clock: Clock }, serverId: string, actor: AuditEntry['actor'], from: From): Promise<void> {
  const refused = await db.transaction().execute(async (trx) => {
    const server = await findServerForUpdate(trx, serverId);
    if (server === undefined || server.deactivated) return false;
    if (await hasPricedPlan(trx, { serverId })) return true;
    await deactivateServer(trx, serverId, using.clock.now());
    await endBillingSessions(trx, { serverId }, new Date());
    await recordAct(trx, { at: using.clock.now(), act: 'server_deactivated', actor, serverId, ...from });
    return false;
  });
  if (!refused) return;
  await recordAct(db, { at: using.clock.now(), act: 'refused', actor, serverId, ...from, details: { reason: 'paid_plan_runs', step: 'server/deactivate' } });
  throw new AppError('paid_plan_runs', 'Cannot deactivate a server with an existing paid plan. Let it end first, or take back what is scheduled.');
}
