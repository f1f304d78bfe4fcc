import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { claimDataFolder } from '../../dev/data-folder.ts';
import { identityOf, processRecord } from '../../dev/processes.ts';

let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vestibule-claim-'));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function sleeper(): number {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
  children.push(child);
  return child.pid ?? 0;
}

test('a process that an earlier start left running is ended', async () => {
  const pid = sleeper();
  processRecord(folder).add('bridge', pid);
  const { ended } = await claimDataFolder(folder);
  expect([ended, identityOf(pid)]).toEqual([['bridge'], undefined]);
});

test('a foreign process that got the same id is left alone', async () => {
  const pid = sleeper();
  const identity = identityOf(pid);
  writeFileSync(join(folder, 'processes.json'), JSON.stringify([{ name: 'bridge', pid, identity: 'another boot 1' }]));
  const { ended } = await claimDataFolder(folder);
  expect([ended, identityOf(pid)]).toEqual([[], identity]);
});

test('a folder that a running start uses is refused', async () => {
  const pid = sleeper();
  writeFileSync(join(folder, 'start.json'), JSON.stringify({ pid, identity: identityOf(pid), above: [] }));
  await expect(claimDataFolder(folder)).rejects.toThrow(`A stack is running on ${folder} already (process ${pid})`);
});

test('a start whose npm was killed is ended', async () => {
  const pid = sleeper();
  writeFileSync(join(folder, 'start.json'), JSON.stringify({ pid, identity: identityOf(pid), above: [{ pid: 2_000_000_000, identity: 'gone' }] }));
  const { ended } = await claimDataFolder(folder);
  expect([ended, identityOf(pid)]).toEqual([['the earlier start'], undefined]);
});
