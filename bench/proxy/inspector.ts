import { setTimeout as delay } from 'node:timers/promises';

const WAKES_WITHIN_MS = 5_000;

/** For a process of Node's that is to be looked into later; costs nothing until then. */
export function inspectable(port: number): Record<string, string> {
  return { NODE_OPTIONS: `--inspect-port=127.0.0.1:${port}` };
}

/** Bytes of the heap and of buffers that are in use, after all garbage of the process was collected. */
export async function usedBytes({ pid, port }: { pid: number; port: number }): Promise<number> {
  process.kill(pid, 'SIGUSR1');
  const socket = new WebSocket(await addressOf(port));
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error(`the inspector at ${port} did not answer`)), { once: true });
  });
  let asked = 0;
  const call = (method: string): Promise<Record<string, number>> => {
    asked += 1;
    const id = asked;
    return new Promise((resolve) => {
      const onMessage = ({ data }: MessageEvent): void => {
        const answer = JSON.parse(String(data)) as { id?: number; result: Record<string, number> };
        if (answer.id !== id) return;
        socket.removeEventListener('message', onMessage);
        resolve(answer.result);
      };
      socket.addEventListener('message', onMessage);
      socket.send(JSON.stringify({ id, method }));
    });
  };
  // Twice: what had to be finalized first is gone after the second.
  await call('HeapProfiler.collectGarbage');
  await call('HeapProfiler.collectGarbage');
  const { usedSize = 0, backingStorageSize = 0 } = await call('Runtime.getHeapUsage');
  socket.close();
  return usedSize + backingStorageSize;
}

async function addressOf(port: number): Promise<string> {
  for (const until = Date.now() + WAKES_WITHIN_MS; ; await delay(50)) {
    try {
      const [target] = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as { webSocketDebuggerUrl: string }[];
      if (target) return target.webSocketDebuggerUrl;
    } catch (error) {
      if (Date.now() > until) throw error;
    }
  }
}
