import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { chance } from './chance.ts';

const SEED = 1;
const LONGEST_SOUGHT = 128;

export interface Fault {
  /** Looked for in what the dialling side sends, in however many pieces it comes; the empty text is in everything. */
  sees: string;
  /**
   * `hold`: these bytes, or the next ones of the answer, wait with all that follow them on that connection.
   * `cut`: they are thrown away and the connection is closed. A status: the relay answers that itself, in HTTP.
   */
  does: 'hold-request' | 'hold-answer' | 'cut-request' | 'cut-answer' | number;
  /** How often it happens; 1 unless told. */
  times?: number;
  /** Only to this share of what it sees, by a dice that always falls the same. */
  share?: number;
}

export interface Relay {
  port: number;
  /** From now on, until {@link Relay.mend}. */
  inject(fault: Fault): void;
  /** How many connections have bytes that wait. */
  held(): number;
  /** Lets what waits go on; `swap` replaces one text in it by another. */
  release(swap?: readonly [from: string, to: string]): void;
  /** Every answer comes that much later. */
  slow(milliseconds: number): void;
  /** Closes every connection, and what waited is lost. */
  cut(): void;
  /** Nobody listens at the port any more. */
  refuse(): Promise<void>;
  /** No faults any more; what waits goes on. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

interface Injected extends Fault {
  dice: () => number;
  done: number;
}

interface Way {
  to: Socket;
  waiting: Buffer[] | undefined;
  /** The other end is gone: when nothing waits any more, this one may go. */
  over: boolean;
}

interface Pair {
  client: Socket;
  server: Socket;
  there: Way;
  back: Way;
  cutNextAnswer: boolean;
  /** The end of what the client sent before: what a fault looks for may come in two pieces. */
  before: Buffer;
}

/** A TCP relay in front of a port of this machine, with faults to order. */
export async function openRelay(targetPort: number): Promise<Relay> {
  const pairs = new Set<Pair>();
  let faults: Injected[] = [];
  let slowness = 0;

  const server = createServer({ allowHalfOpen: false }, (client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    const pair: Pair = { client, server: upstream, there: { to: upstream, waiting: undefined, over: false }, back: { to: client, waiting: undefined, over: false }, cutNextAnswer: false, before: Buffer.alloc(0) };
    pairs.add(pair);
    for (const socket of [client, upstream]) socket.setNoDelay(true).on('error', () => {});
    client.on('data', (bytes: Buffer) => onRequest(pair, bytes));
    upstream.on('data', (bytes: Buffer) => {
      if (slowness === 0) onAnswer(pair, bytes);
      else void delay(slowness).then(() => onAnswer(pair, bytes));
    });
    client.on('close', () => end(pair, pair.there));
    upstream.on('close', () => {
      if (slowness === 0) end(pair, pair.back);
      else void delay(slowness).then(() => end(pair, pair.back));
    });
  });

  const onRequest = (pair: Pair, bytes: Buffer): void => {
    const fault = faults.find((one) => applies(one, pair.before, bytes));
    pair.before = Buffer.concat([pair.before, bytes]).subarray(-LONGEST_SOUGHT);
    if (fault?.does === 'cut-request') return destroy(pair);
    if (typeof fault?.does === 'number') return void pair.client.end(`HTTP/1.1 ${fault.does} Fault\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    if (fault?.does === 'cut-answer') pair.cutNextAnswer = true;
    if (fault?.does === 'hold-answer') pair.back.waiting ??= [];
    if (fault?.does === 'hold-request') pair.there.waiting ??= [];
    pass(pair.there, bytes);
  };
  const onAnswer = (pair: Pair, bytes: Buffer): void => {
    if (pair.cutNextAnswer) destroy(pair);
    else pass(pair.back, bytes);
  };
  const end = (pair: Pair, way: Way): void => {
    way.over = true;
    if (waits(way)) return;
    way.to.end();
    if (pair.there.over && pair.back.over) pairs.delete(pair);
  };
  const destroy = (pair: Pair): void => {
    pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  };
  const release: Relay['release'] = (swap) => {
    for (const pair of pairs) {
      for (const way of [pair.there, pair.back]) {
        const waited = Buffer.concat(way.waiting ?? []);
        way.waiting = undefined;
        if (waited.length > 0) way.to.write(swap ? Buffer.from(waited.toString('latin1').replace(...(swap as [string, string])), 'latin1') : waited);
        if (way.over) end(pair, way);
      }
    }
  };
  const cut = (): void => [...pairs].forEach(destroy);
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  const refuse = async (): Promise<void> => {
    const closed = server.listening ? once(server, 'close') : undefined;
    server.close();
    cut();
    await closed;
  };

  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    inject: (fault) => void faults.push({ ...fault, dice: chance(SEED), done: 0 }),
    held: () => [...pairs].filter((pair) => waits(pair.there) || waits(pair.back)).length,
    release,
    slow: (milliseconds) => {
      slowness = milliseconds;
    },
    cut,
    refuse,
    mend: async () => {
      faults = [];
      slowness = 0;
      release();
      if (!server.listening) await listen(port);
    },
    close: refuse,
  };
}

function applies(fault: Injected, before: Buffer, bytes: Buffer): boolean {
  const unseen = fault.sees.length > 1 ? Buffer.concat([before.subarray(1 - fault.sees.length), bytes]) : bytes;
  if (fault.done >= (fault.times ?? 1) || !unseen.includes(fault.sees)) return false;
  if (fault.dice() >= (fault.share ?? 1)) return false;
  fault.done += 1;
  return true;
}

function pass(way: Way, bytes: Buffer): void {
  if (way.waiting) way.waiting.push(bytes);
  else way.to.write(bytes);
}

function waits(way: Way): boolean {
  return way.waiting !== undefined && way.waiting.length > 0;
}
