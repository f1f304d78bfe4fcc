/** As `/authentication/flows/{alias}/executions` lists them: depth first, `level` telling the depth. */
export interface Execution {
  level: number;
  displayName?: string;
  providerId?: string;
  requirement: string;
  authenticationFlow?: boolean;
  authenticationConfig?: string;
}

export interface Step {
  name: string;
  /** Of a form's sub-flow too: the page that it shows. */
  providerId: string | undefined;
  requirement: string;
  configId: string | undefined;
  /** Of a sub-flow; undefined for a step. */
  steps: readonly Step[] | undefined;
}

export function treeOf(executions: readonly Execution[]): readonly Step[] {
  const top: Step[] = [];
  const open: Step[][] = [top];
  for (const { level, displayName, providerId, requirement, authenticationFlow, authenticationConfig } of executions) {
    const steps: Step[] = [];
    const name = displayName ?? providerId ?? '';
    open[level]?.push({ name, providerId, requirement, configId: authenticationConfig, steps: authenticationFlow === true ? steps : undefined });
    open[level + 1] = steps;
  }
  return top;
}

/** Steps that are not switched off, nor in a sub-flow that is, in the order in which they come. */
export function liveSteps(steps: readonly Step[]): readonly Step[] {
  return live(steps).flatMap((step) => [step, ...liveSteps(step.steps ?? [])]);
}

/** Why somebody may come through a flow without its end being this step, REQUIRED; undefined when nobody may. */
export function whyNotLast(steps: readonly Step[], providerId: string): string | undefined {
  const enabled = live(steps);
  const last = enabled.at(-1);
  const alternatives = enabled.filter(({ requirement }) => requirement === 'ALTERNATIVE');
  if (last === undefined || !liveSteps(enabled).some((step) => step.providerId === providerId)) return `has no ${providerId}`;
  if (alternatives.length === enabled.length) return firstOf(enabled, (step) => whyOneIsOpen(step, providerId));
  if (alternatives.length > 0) return `has ${providerId} beside ALTERNATIVE steps (${alternatives.map(({ name }) => name).join(', ')})`;
  if (last.providerId === providerId || holds(last, providerId)) return whyOneIsOpen(last, providerId);
  return `goes on with ${last.name} after ${providerId}`;
}

function whyOneIsOpen(step: Step, providerId: string): string | undefined {
  if (step.steps !== undefined && step.requirement === 'CONDITIONAL') return `has ${providerId} in ${step.name} only, which is CONDITIONAL`;
  if (step.steps !== undefined) return whyNotLast(step.steps, providerId);
  if (step.providerId !== providerId) return `lets people in by ${step.name} without ${providerId}`;
  return step.requirement === 'REQUIRED' ? undefined : `has ${providerId}, which is ${step.requirement}`;
}

function holds({ steps = [] }: Step, providerId: string): boolean {
  return liveSteps(steps).some((step) => step.providerId === providerId);
}

function live(steps: readonly Step[]): readonly Step[] {
  return steps.filter(({ requirement }) => requirement !== 'DISABLED');
}

function firstOf<T>(all: readonly T[], find: (one: T) => string | undefined): string | undefined {
  for (const one of all) {
    const found = find(one);
    if (found !== undefined) return found;
  }
  return undefined;
}
