import { buildConnector } from 'undici';
import { isPublic, isRefusedLiteral, lookingAtAddresses } from '../outbound/addresses.ts';
import { inAWord } from './post.ts';

const TIME_LIMIT_MILLISECONDS = 10_000;

/** Why an address can't be dialled as webhooks would dial it; undefined where it can. Nothing is sent. */
export async function whyOutOfReach(url: string, { anyAddress }: { anyAddress: boolean }): Promise<string | undefined> {
  const mayDial = anyAddress ? () => true : isPublic;
  if (isRefusedLiteral(url, mayDial)) return 'private_address';
  const connect = buildConnector({ lookup: lookingAtAddresses(mayDial), timeout: TIME_LIMIT_MILLISECONDS });
  const { protocol, hostname, port } = new URL(url);
  return new Promise((resolve) => {
    connect({ protocol, hostname, port: port || (protocol === 'https:' ? '443' : '80') }, (error, socket) => {
      socket?.destroy();
      resolve(error ? inAWord(error) : undefined);
    });
  });
}
