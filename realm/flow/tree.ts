import { createHash } from 'node:crypto';
import type { RealmAdmin } from '../admin.ts';

export type Requirement = 'REQUIRED' | 'ALTERNATIVE' | 'CONDITIONAL' | 'DISABLED';

/** A step, or a sub-flow of them. */
export interface Step {
  /** Of the execution. */
  id: string;
  /** What runs; of a form: what shows it; undefined for other sub-flows. */
  provider?: string | undefined;
  requirement: Requirement;
  priority: number;
  settings?: { id: string; alias: string; config: Record<string, string> } | undefined;
  subFlow?: { id: string; alias: string; steps: Step[] } | undefined;
}

export interface Flow {
  id: string;
  alias: string;
  description: string;
  steps: Step[];
}

export interface FlowHead {
  id: string;
  alias: string;
  description?: string;
  providerId: string;
  builtIn: boolean;
}

interface Execution {
  id: string;
  providerId?: string;
  displayName: string;
  requirement: Requirement;
  priority: number;
  level: number;
  flowId?: string;
  authenticationFlow?: boolean;
  authenticationConfig?: string;
}

export const flowPath = (alias: string): string => `/authentication/flows/${encodeURIComponent(alias)}`;

/** Those that can be bound; sub-flows are found in them. */
export function listFlows(admin: RealmAdmin): Promise<FlowHead[]> {
  return admin.get<FlowHead[]>('/authentication/flows');
}

export async function readFlow(admin: RealmAdmin, { id, alias, description = '' }: Pick<FlowHead, 'id' | 'alias' | 'description'>): Promise<Flow> {
  const executions = await admin.get<Execution[]>(`${flowPath(alias)}/executions`);
  const steps: Step[] = [];
  const open: Step[][] = [steps];
  for (const one of executions) {
    const subFlow = one.authenticationFlow ? { id: one.flowId ?? '', alias: one.displayName, steps: [] } : undefined;
    const settings = one.authenticationConfig === undefined ? undefined : await admin.find<NonNullable<Step['settings']>>(`/authentication/config/${one.authenticationConfig}`);
    open[one.level]?.push({
      id: one.id,
      provider: one.providerId,
      requirement: one.requirement,
      priority: one.priority,
      ...(settings === undefined ? {} : { settings: { ...settings, config: settings.config ?? {} } }),
      ...(subFlow === undefined ? {} : { subFlow }),
    });
    if (subFlow !== undefined) open[one.level + 1] = subFlow.steps;
  }
  return { id, alias, description, steps };
}

export function allSteps(steps: readonly Step[]): Step[] {
  return steps.flatMap((step) => [step, ...allSteps(step.subFlow?.steps ?? [])]);
}

/** The same for a flow and its copy; another after anybody changed one of the two. */
export function shapeOf({ steps }: Pick<Flow, 'steps'>): string {
  return createHash('sha256').update(JSON.stringify(plain(steps))).digest('hex').slice(0, 12);
}

function plain(steps: readonly Step[]): unknown {
  return steps.map(({ provider, requirement, settings, subFlow }) => [provider, requirement, settings?.config, subFlow && plain(subFlow.steps)]);
}
