import { embedRoutes, type EmbedRoutesUsing } from './embed/embed.routes.ts';
import type { Route } from './http/route.ts';
import { eraseRoutes } from './life/erase.routes.ts';
import { lifeRoutes, type LifeRoutesUsing } from './life/life.routes.ts';
import { sightingRoutes } from './life/sighting.routes.ts';
import type { BillingParts } from './remote-billing/billing-parts.ts';
import { billingPagesRoutes } from './remote-billing/pages.routes.ts';
import { plansRoutes } from './remote-billing/plans/plans.routes.ts';
import { supportRoutes } from './remote-billing/support/support.routes.ts';
import { joinRoutes, type JoinRoutesUsing } from './trial/join.routes.ts';
import { trialRoutes, type TrialRoutesUsing } from './trial/trial.routes.ts';

/**
 * Every URL of the bridge.
 *
 * | method and path | who | where |
 * | --- | --- | --- |
 * | POST /api/trial/register, POST /api/legacy/trial/register | anybody | trial/trial.routes.ts |
 * | POST /api/trial/verify | Keycloak's steps | trial/trial.routes.ts |
 * | POST /api/trial/creation | Keycloak's steps; programs, with a password | trial/trial.routes.ts |
 * | POST /api/trial/creation/outcome, POST /api/trial/creation/outcomes | Keycloak's steps | trial/trial.routes.ts |
 * | GET /api/trial/infos | Keycloak's steps | trial/trial.routes.ts |
 * | GET /api/trial/changes | proxy, as a stream | trial/trial.routes.ts |
 * | POST /api/trial/not-me | proxy | trial/trial.routes.ts |
 * | POST /api/trial/offer, /api/trial/join | proxy | trial/join.routes.ts |
 * | POST /api/trial/extend, /api/trial/completion, GET /api/trial, /api/trial/{id}, POST /api/trial/{id}/resend, /{id}/revoke | whoever has the role trial-manage | life/life.routes.ts |
 * | GET /api/trial/funnel, DELETE /api/trial/{id}, GET /api/trial/{id}/export, POST /api/trial/{id}/allow-again | whoever has the role trial-manage | life/erase.routes.ts |
 * | POST /api/trial/opened, /api/trial/signed-in | proxy | life/sighting.routes.ts |
 * | POST /api/trial/embed-token, /api/trial/embed-revoke | whoever has the role trial-manage | embed/embed.routes.ts |
 * | POST /api/trial/embed-standing | proxy | embed/embed.routes.ts |
 * | GET /.well-known/jwks.json | anybody | embed/embed.routes.ts |
 * | POST /api/v1/remotes/server/… | self-hosted servers | remote-billing/servers.routes.ts |
 * | POST /api/remote-billing/… | proxy | remote-billing/pages.routes.ts, remote-billing/plans/plans.routes.ts |
 * | POST /api/remote-billing/support/… | proxy, for staff; programs with the role | remote-billing/support/support.routes.ts |
 * | GET /openapi.json | anybody | app.ts |
 * | GET /livez, GET /readyz | anybody | ../platform/health.ts |
 * | GET /metrics, on BRIDGE_METRICS_PORT | whoever reaches it | ../platform/metrics.ts |
 * | GET, POST /dev/clock | development, with MOVABLE_CLOCK | clock/clock.routes.ts |
 * | GET /dev/mails, GET /dev/mails/{product}/{kind}/{locale} | development | mail/preview.routes.ts |
 */
export function bridgeRoutes(using: TrialRoutesUsing & JoinRoutesUsing & LifeRoutesUsing & EmbedRoutesUsing & { billing: BillingParts | undefined }): readonly Route[] {
  const { billing } = using;
  return [...trialRoutes(using), ...joinRoutes(using), ...lifeRoutes(using), ...eraseRoutes(using), ...sightingRoutes(using), ...embedRoutes(using), ...(billing === undefined ? [] : [billingPagesRoutes, plansRoutes, supportRoutes].flatMap((routes) => routes({ ...using, ...billing })))];
}
