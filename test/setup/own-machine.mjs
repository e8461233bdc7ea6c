/**
 * A command that has a machine of its own as far as tests can tell: network, nftables, processes, `/run` with the names
 * of namespaces and the sandbox's lock, control groups, and kubectl's cache. Two of them cannot see each other, and
 * whatever one leaves behind ends with it. What they share is the file system, which tests use by mkdtemp, and time.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

const END_DEADLINE_MS = 5_000;
const UNSHARE = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--'];

/**
 * The first process of that machine. It stays, and collects what others leave, as init does. Its arguments: the name of
 * its control groups, how many hierarchies there are, where each is mounted, the command.
 */
const INIT = `
set -e
ip link set lo up
mount -t tmpfs run /run
mkdir /run/kube-cache
export KUBECACHEDIR=/run/kube-cache
groups=$1 left=$2
shift 2
while [ $left -gt 0 ]; do
  mount --bind "$1/$groups" "$1"
  shift
  left=$((left - 1))
done
set +e
"$@"
exit $?`;

/** Those that have not ended, with their control groups. */
const machines = new Map();
let begun = 0;
let isPossible;

/** Where hierarchies of control groups are mounted. On such a machine each is mounted twice. */
function hierarchies() {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const ofGroups = mounts.filter(([, , type]) => type === 'cgroup2' || type === 'cgroup');
  return [...new Set(ofGroups.map(([, mountPoint]) => mountPoint))];
}

function removeGroups(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroups(join(directory, entry.name));
  rmdirSync(directory);
}

/** Ends all machines that there are; their processes may take a moment. */
function endMachines() {
  for (const child of machines.keys()) child.kill('SIGKILL');
  const untilMs = Date.now() + END_DEADLINE_MS;
  while (machines.size > 0 && Date.now() < untilMs) {
    for (const [child, groups] of machines) if (areRemoved(groups)) machines.delete(child);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
}

function areRemoved(groups) {
  try {
    for (const directory of groups) if (existsSync(directory)) removeGroups(directory);
    return true;
  } catch {
    return false;
  }
}

function endMachinesWithProcess() {
  process.once('exit', endMachines);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

/** Whether this machine lets us; not, for example, without root. */
export function canHaveOwnMachine() {
  isPossible ??= process.getuid?.() === 0 && hierarchies().length > 0 && startsOne();
  return isPossible;
}

function startsOne() {
  const args = [...UNSHARE, 'sh', '-c', 'mount -t tmpfs run /run && ip link set lo up'];
  return spawnSync('unshare', args, { stdio: 'ignore' }).status === 0;
}

/** Starts it as `spawn` does. When it has ended, so has everything that it started. Where none can be had, it is this machine. */
export function spawnOnOwnMachine(command, options) {
  if (!canHaveOwnMachine()) return spawn(command[0], command.slice(1), options);
  if (begun === 0) endMachinesWithProcess();
  begun += 1;
  const name = `own-machine-${process.pid}-${begun}`;
  const mounts = hierarchies();
  const groups = mounts.map((mount) => join(mount, name));
  for (const directory of groups) mkdirSync(directory);
  const args = [name, String(mounts.length), ...mounts, ...command];
  const child = spawn('unshare', [...UNSHARE, 'sh', '-c', INIT, 'init', ...args], options);
  machines.set(child, groups);
  child.once('close', () => {
    machines.delete(child);
    for (const directory of groups) removeGroups(directory);
  });
  return child;
}
