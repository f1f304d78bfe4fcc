import { lastLines, startProcess, type ProcessRecord } from './processes.ts';
import { StartError } from './start-error.ts';

/** What the steps that make files need to know. */
export interface Workshop {
  /** Where distribution, jars and built servers are kept, for any number of stacks. */
  cacheDir: string;
  logFile(name: string): string;
  record: ProcessRecord;
}

interface Task {
  /** For the message when it fails, and for the log file's name. */
  title: string;
  name: string;
  file: string;
  args: readonly string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
}

/** Runs a program to its end; rejects with its last lines when it fails. */
export async function runToEnd(workshop: Workshop, task: Task): Promise<void> {
  const logFile = workshop.logFile(task.name);
  const running = startProcess({ ...task, logFile }, workshop.record);
  const how = await running.ended;
  await running.stop();
  if (!running.succeeded()) throw new StartError(`${task.title} failed: ${how}.\n${lastLines(logFile)}`);
}

/** Maven reads its own settings from the environment, so it gets all of ours. */
export function maven(workshop: Workshop, title: string, name: string, args: readonly string[], cwd: string): Promise<void> {
  return runToEnd(workshop, { title, name, file: 'mvn', args: ['-B', '-ntp', '-q', ...args], cwd, env: process.env });
}
