import { createServer } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { freePortBase, portBaseFrom, portsFrom, takenPorts } from '../../dev/ports.ts';

describe('the port base', () => {
  test.each([
    ['the default', [], {}, 8400],
    ['a flag with a space', ['--port-base', '9000'], {}, 9000],
    ['a flag with an equals sign', ['--port-base=9000'], {}, 9000],
    ['a variable', [], { VESTIBULE_PORT_BASE: '9100' }, 9100],
    ['a flag above a variable', ['--port-base', '9000'], { VESTIBULE_PORT_BASE: '9100' }, 9000],
  ])('is read from %s', (_, args, env, base) => {
    expect(portBaseFrom(args, env)).toBe(base);
  });

  test.each([['--port-base'], ['--port-base=abc'], ['--port-base=80'], ['--port-base=65530'], ['--port-base=-1']])('%s is refused in words', (arg) => {
    expect(() => portBaseFrom([arg], {})).toThrow('--port-base must be a number from 1024 to');
  });
});

test('each part has a port of its own', () => {
  expect(Object.values(portsFrom(8400))).toEqual([8400, 8401, 8402, 8403, 8404, 8405, 8406, 8407, 8408, 8409, 8410, 8411]);
});

test.each(['127.0.0.1', '0.0.0.0'])('a port that something on %s listens on is named', async (host) => {
  const base = await freePortBase();
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(base + 3, host, resolve);
  });
  expect(await takenPorts(portsFrom(base))).toEqual([['inbox', base + 3]]);
  server.close();
});
