import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A connection on which a test writes the very bytes that it means. */
export interface RawConnection {
  write(text: string): void;
  /** Everything heard so far, once it matches; rejects when the other side ends before. */
  hears(pattern: RegExp): Promise<string>;
  /** Everything that was heard until the other side ended. */
  toItsEnd(): Promise<string>;
  heard(): string;
  socket: Socket;
}

export function rawConnection(url: string): RawConnection {
  const { hostname, port } = new URL(url);
  return listening(connect(Number(port), hostname));
}

/** An app of bytes: answers each connection as the test says. */
export async function rawApp(talk: (connection: RawConnection) => void | Promise<void>): Promise<{ url: string; connections(): number; stop(): Promise<void> }> {
  let connections = 0;
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    connections += 1;
    open.add(socket);
    // Cut by the proxy in the middle of a talk: the test looks at the proxy's answer.
    void Promise.resolve(talk(listening(socket))).catch(() => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    stop: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function listening(socket: Socket): RawConnection {
  let heard = '';
  let ended = false;
  const changed: (() => void)[] = [];
  const change = (): void => changed.splice(0).forEach((tell) => tell());
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1');
    change();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    ended = true;
    change();
  });
  const until = async (isThere: () => boolean): Promise<void> => {
    while (!isThere()) {
      if (ended) throw new Error(`The other side ended. Heard so far:\n${heard}`);
      await new Promise<void>((resolve) => changed.push(resolve));
    }
  };
  return {
    socket,
    heard: () => heard,
    write: (text) => void socket.write(text, 'latin1'),
    hears: async (pattern) => {
      await until(() => pattern.test(heard));
      return heard;
    },
    toItsEnd: async () => {
      await until(() => ended);
      return heard;
    },
  };
}
