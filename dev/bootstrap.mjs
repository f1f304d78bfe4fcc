// Plain JavaScript for whatever Node the machine has (>= 20): checks the machine, installs the packages, and goes on in
// TypeScript under the Node 24 that comes with them. npm skips pre-scripts where scripts are ignored, so it happens in here.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LEAST_OWN_NODE = 20;
const LEAST_NODE = 24;
const LEAST_JAVA = 17;
const INSTALLED_MARK = join(ROOT, 'node_modules', '.vestibule-installed');

/** A sentence for people: shown as it is, without a stack trace. */
class MachineError extends Error {}

/**
 * Runs `script` (TypeScript, a path in the project) and ends as it ends.
 * @param {{script: string, args: string[], java: boolean, onFailure?: () => void}} options
 */
export async function bootstrap({ script, args, java, onFailure }) {
  try {
    checkNode();
    if (java) checkJava();
    await install();
    const node = findNode();
    process.exitCode = await run(node, [join(ROOT, script), ...args]);
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    console.error(error.message);
    onFailure?.();
    process.exitCode = 1;
  }
}

function checkNode() {
  if (majorOf(process.versions.node) >= LEAST_OWN_NODE) return;
  throw new MachineError(`Node ${process.versions.node} is too old: install Node ${LEAST_OWN_NODE} or newer.`);
}

function checkJava() {
  const home = process.env.JAVA_HOME;
  const where = home ? `JAVA_HOME is ${home}` : 'JAVA_HOME is not set, so PATH was searched';
  for (const tool of ['java', 'javac']) {
    const version = versionOf(home ? join(home, 'bin', tool) : tool, '-version', /(?:version "|javac )(\d[\w.]*)/);
    if (version === undefined) throw new MachineError(`No ${tool} was found: install a JDK ${LEAST_JAVA} or newer (${where}).`);
    // Java 8 called itself 1.8.
    if (majorOf(version) < LEAST_JAVA) throw new MachineError(`${tool} ${version} is too old: install a JDK ${LEAST_JAVA} or newer (${where}).`);
  }
  if (versionOf('mvn', '-version', /Apache Maven (\S+)/) === undefined) throw new MachineError('No Maven was found: install it so that "mvn" is on PATH.');
}

/** Installs when package-lock.json is not the one that the packages were installed from. */
async function install() {
  const wanted = hashOfLock();
  if (existsSync(INSTALLED_MARK) && readFileSync(INSTALLED_MARK, 'utf8') === wanted) return;
  const env = { ...process.env, PATH: pathWithoutPackages() };
  if (spawnSync('npm', ['--version'], { env }).status !== 0) throw new MachineError('No npm was found: install it, it comes with Node.');
  const started = Date.now();
  console.log('Installing the packages (about half a minute) …');
  // A machine set to production would leave out what the stack and the tests need.
  const options = ['--ignore-scripts=false', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const clean = await npm(['ci', ...options], env);
  if (clean.code !== 0) {
    if (!/EUSAGE|in sync|from lock file/.test(clean.errors)) throw new MachineError('npm ci failed, see above. Correct that and start again.');
    console.log('npm ci does not take the lock file on this machine; trying npm install …');
    const second = await npm(['install', '--no-save', ...options], env);
    if (second.code !== 0) throw new MachineError('npm install failed, see above. Correct that and start again.');
  }
  writeFileSync(INSTALLED_MARK, wanted);
  console.log(`Installed the packages in ${((Date.now() - started) / 1000).toFixed(1)} s.`);
}

/** npm's own standard output goes to standard error: ours ends in a line that is read by programs. */
function npm(args, env) {
  return new Promise((resolve) => {
    const child = spawn('npm', args, { cwd: ROOT, env, stdio: ['ignore', 2, 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
      process.stderr.write(chunk);
    });
    child.once('error', (error) => resolve({ code: 1, errors: String(error) }));
    child.once('close', (code) => resolve({ code: code ?? 1, errors }));
  });
}

function hashOfLock() {
  return createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json'))).update(`${process.platform}-${process.arch}`).digest('hex');
}

/** npm ci deletes node_modules while it runs: it must not run on the Node in there. */
function pathWithoutPackages() {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.split(sep).join('/').endsWith('node_modules/.bin'))
    .join(delimiter);
}

function findNode() {
  const packaged = join(ROOT, 'node_modules', '.bin', 'node');
  for (const node of [packaged, process.execPath]) {
    const version = versionOf(node, '--version', /^v(\S+)/);
    if (version !== undefined && majorOf(version) >= LEAST_NODE) return node;
  }
  throw new MachineError(`Node ${LEAST_NODE} is missing in node_modules: delete node_modules and start again, or install Node ${LEAST_NODE} yourself.`);
}

/** Passes signals on and answers the exit code, as a shell would. */
function run(node, args) {
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: `${join(ROOT, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}` };
    const child = spawn(node, args, { cwd: ROOT, env, stdio: 'inherit' });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    child.once('error', (error) => {
      console.error(`${node} could not be started: ${error.message}`);
      resolve(1);
    });
    child.once('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

function versionOf(file, flag, pattern) {
  const { stdout, stderr, status } = spawnSync(file, [flag], { encoding: 'utf8', cwd: ROOT });
  return status === 0 ? pattern.exec(`${stdout}${stderr}`)?.[1] : undefined;
}

function majorOf(version) {
  const [first, second] = version.split('.').map(Number);
  return first === 1 && second !== undefined ? second : first;
}
