import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';

/** A mail server that takes everything at once and keeps nothing: it costs next to no time, so what is measured is ours. */
export async function openSink(): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer((socket) => {
    let inMail = false;
    let rest = '';
    socket.on('error', () => {});
    socket.write('220 sink\r\n');
    socket.on('data', (chunk) => {
      rest += chunk.toString('latin1');
      for (let end = rest.indexOf('\r\n'); end !== -1; end = rest.indexOf('\r\n')) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 2);
        if (inMail && line !== '.') continue;
        inMail = line.toUpperCase() === 'DATA';
        socket.write(inMail ? '354 go on\r\n' : line.toUpperCase() === 'QUIT' ? '221 bye\r\n' : '250 taken\r\n');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.close();
    },
  };
}
