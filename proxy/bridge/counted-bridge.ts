import type { Meter } from '../metrics/meter.ts';
import type { Bridge } from './bridge.ts';

/** The same bridge; what became of sign-ups is counted on the way back. */
export function countedBridge(bridge: Bridge, meter: Pick<Meter, 'register'>): Bridge {
  return {
    ...bridge,
    register: async (...args) => {
      const answer = await bridge.register(...args);
      meter.register('form', answer.outcome);
      return answer;
    },
    forward: async (...args) => {
      try {
        const answer = await bridge.forward(...args);
        if (args[0].method === 'POST') meter.register('api', outcomeOf(answer.status));
        return answer;
      } catch (error) {
        meter.register('api', 'unavailable');
        throw error;
      }
    },
  };
}

function outcomeOf(status: number): string {
  if (status < 400) return 'accepted';
  if (status === 429) return 'limited';
  return status < 500 ? 'refused' : 'unavailable';
}
