import { scrape } from '../../support/exposition.ts';
import { stack } from '../../support/stack.ts';

/** How often Keycloak has asked the bridge about somebody's trial. */
export async function questionsAboutTrials(): Promise<number> {
  const { port } = new URL(stack().metrics.bridge);
  return (await scrape(Number(port))).sum('vestibule_bridge_keycloak_call_duration_seconds_count', { route: '/api/trial/infos' }) ?? 0;
}
