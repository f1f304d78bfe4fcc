import type { Hop } from '../../../dev/stack.ts';
import { openRelay, type Relay } from '../relay.ts';
import { CONTROL_VARIABLE, openControl } from './fault-control.ts';
import { startTestStack } from './test-stack.ts';

/** A stack of its own, durable because parts are killed, its realm imported by `kc.sh import` (the other stack's by `--import-realm`), with a relay on every way between parts, and a control that tests call. */
export default async function setup(): Promise<void> {
  const relays = new Map<Hop, Relay>();
  const refusals = new Map<string, number[]>();
  const { stack, stop } = await startTestStack('faults', {
    durable: true,
    importBy: 'command',
    detour: async (hop, port) => {
      const relay = await openRelay(port);
      relays.set(hop, relay);
      return relay.port;
    },
    refuseRecipient: (address) => refusals.get(address)?.shift(),
  });
  const control = await openControl({ relays, parts: stack.parts, refusals });
  process.env[CONTROL_VARIABLE] = control.url;
  (globalThis as { stopFaultStack?: () => Promise<void> }).stopFaultStack = async () => {
    await control.close();
    await stop();
    await Promise.all([...relays.values()].map((relay) => relay.close()));
  };
}
