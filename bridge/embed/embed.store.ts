import type { Db, Trx } from '../db/schema.ts';

/** A small app with whose trial it is. Instants are domain time; null: no end. */
export interface EmbeddableApp {
  id: string;
  path: string;
  generation: number;
  product: string;
  userId: string;
  lifeId: string | null;
  trialEndsAt: Date | null;
  trialAccessUntil: Date | null;
  /** False until the app has made what its person comes for. */
  ready: boolean;
}

export async function findApp(db: Db | Trx, id: string): Promise<EmbeddableApp | undefined> {
  return db
    .selectFrom('bridge.trial_app as app')
    .innerJoin('bridge.trial as trial', 'trial.id', 'app.trial_id')
    .leftJoin('bridge.life as life', (join) => join.onRef('life.user_id', '=', 'trial.user_id').onRef('life.product', '=', 'trial.product'))
    .select([
      'app.id',
      'app.path',
      'app.embed_generation as generation',
      'trial.product',
      'trial.user_id as userId',
      'life.id as lifeId',
      'trial.trial_ends_at as trialEndsAt',
      'trial.trial_access_until as trialAccessUntil',
      'trial.ready',
    ])
    .where('app.id', '=', id)
    .executeTakeFirst();
}

/** Whatever was framed with an earlier generation is over. */
export async function raiseGeneration(trx: Trx, appId: string): Promise<void> {
  await trx
    .updateTable('bridge.trial_app')
    .set((eb) => ({ embed_generation: eb('embed_generation', '+', 1) }))
    .where('id', '=', appId)
    .execute();
}
