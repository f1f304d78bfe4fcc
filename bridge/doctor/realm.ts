import { adminPermissionChecks } from './admin-permissions.ts';
import { breakerChecks } from './breaker.ts';
import type { Check } from './check.ts';
import { clientChecks } from './clients.ts';
import { discoveryChecks } from './discovery.ts';
import { flowChecks } from './flows.ts';
import { probeChecks } from './invitation-probe.ts';
import { jarChecks } from './jar.ts';
import { lifetimeChecks } from './lifetimes.ts';
import { mapperChecks } from './mappers.ts';
import { poolChecks } from './pools.ts';
import { serviceAccountChecks } from './service-accounts.ts';
import { settingChecks } from './settings.ts';
import { smtpChecks } from './smtp.ts';
import { stepSettingChecks } from './step-settings.ts';
import { takeOverChecks } from './take-over.ts';

/** The table: what a live realm and its servers are looked at for. */
export const REALM_CHECKS: readonly Check[] = [
  ...flowChecks,
  ...stepSettingChecks,
  ...clientChecks,
  ...mapperChecks,
  ...serviceAccountChecks,
  ...adminPermissionChecks,
  ...takeOverChecks,
  ...settingChecks,
  ...lifetimeChecks,
  ...jarChecks,
  ...breakerChecks,
  ...discoveryChecks,
  ...probeChecks,
  ...smtpChecks,
  ...poolChecks,
];
