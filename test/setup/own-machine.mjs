/**
 * A command that has a machine of its own as far as tests can tell: network, nftables, processes, `/run` with the names
 * of namespaces and the sandbox's lock, control groups, and kubectl's cache. Two of them cannot see each other, and
 * whatever one leaves behind ends with it. What they share is the file system, which tests use by mkdtemp, and time.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

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

let machines = 0;
let isPossible;

/** Where hierarchies of control groups are mounted that a sandbox uses. */
function hierarchies() {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(
      ([, , type, options]) =>
        type === 'cgroup2' || (type === 'cgroup' && /\b(pids|cpuacct)\b/.test(options)),
    )
    .map(([, mountPoint]) => mountPoint);
}

function removeGroups(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroups(join(directory, entry.name));
  rmdirSync(directory);
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
  const mounts = hierarchies();
  machines += 1;
  const groups = `own-machine-${process.pid}-${machines}`;
  for (const mount of mounts) mkdirSync(join(mount, groups));
  const args = [groups, String(mounts.length), ...mounts, ...command];
  const child = spawn('unshare', [...UNSHARE, 'sh', '-c', INIT, 'init', ...args], options);
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('close', () => {
    process.off('exit', kill);
    for (const mount of mounts) removeGroups(join(mount, groups));
  });
  return child;
}
