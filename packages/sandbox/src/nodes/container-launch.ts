/**
 * How a container becomes a process: one chain of `exec`s, so that the process the sandbox started is the program
 * itself and dies with the sandbox.
 *
 *   sh (joins the cgroups) → nsenter (network) → unshare (mounts, host name) → sh (root file system) → setpriv → program
 *
 * The root file system is an overlay of the machine's own, or of an image's layers; its upper layer is a tmpfs that only
 * this mount namespace knows: what a container writes vanishes with it, and nothing is left to unmount.
 */
import { dirname } from 'node:path/posix';
import { TOOL_FUNCTIONS, TOOLS_IN_CONTAINER, toolInContainer } from './container-tools.ts';

/** A file or directory of the machine that the container sees at `target`. */
export interface BindMount {
  readonly source: string;
  readonly target: string;
  readonly kind: 'file' | 'directory';
  readonly readOnly: boolean;
}

/** What lies below what a container writes. */
export type ContainerRoot =
  /** The machine's own, with these of its further file systems. */
  | { readonly kind: 'machine'; readonly mounts: readonly string[] }
  | {
      readonly kind: 'image';
      readonly layersDirectory: string;
      /** Names below it, lowest first. */
      readonly layers: readonly string[];
      /** See `copyTools`. */
      readonly toolsDirectory: string;
    };

export interface Launch {
  /** File of the network namespace, as for `nsenter --net=`. */
  readonly network: string;
  readonly hostname: string;
  /** See `Cgroups.joinFiles`. */
  readonly joinFiles: readonly string[];
  /** An existing directory on which the container's private tmpfs is mounted; the machine never sees that mount. */
  readonly scratchDirectory: string;
  /** Copied over the root: `etc/hosts` and so on. */
  readonly overlayDirectory: string;
  readonly root: ContainerRoot;
  /** What the container sees as process 1, which is a process of its node; null for the machine's. */
  readonly firstProcess: number | null;
  readonly mounts: readonly BindMount[];
  /** Shell lines that the image wants run inside the finished root. */
  readonly preparation: readonly string[];
  readonly workingDirectory: string;
  readonly input: ContainerInput;
  readonly privileges: Privileges;
  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

interface ContainerInput {
  readonly isOpen: boolean;
  /** It ends when the first who was attached to it leaves. */
  readonly isOnce: boolean;
  /** Input and output are a terminal. */
  readonly isTerminal: boolean;
}

export interface Privileges {
  /** Null keeps root. */
  readonly user: number | null;
  readonly group: number | null;
  readonly supplementalGroups: readonly number[];
  /** Null keeps all; otherwise exactly these remain, without the prefix CAP_. */
  readonly capabilities: readonly string[] | null;
  readonly mayGainPrivileges: boolean;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The environment of the launching shells; the program gets `Launch.environment` instead. */
export const LAUNCH_ENVIRONMENT: Readonly<Record<string, string>> = { PATH };

/** The file descriptor on which the launching shell tells that everything is prepared, and the word it says. */
export const LAUNCH_PIPE = 3;
export const LAUNCHED = 'launched';

/** Program and arguments that turn into the container's process. `pipe` is opened as LAUNCH_PIPE unless it is there. */
export function launchCommand(launch: Launch, pipe: string | null): readonly [string, ...string[]] {
  const open = pipe === null ? '' : `exec ${LAUNCH_PIPE}> ${quote(pipe)}\n`;
  const enter = `${open}inner=$1; shift
${joinLines(launch.joinFiles)}
exec nsenter --net=${quote(launch.network)} unshare --mount --uts --propagation private sh -ec "$inner" launch "$@"`;
  return ['sh', '-ec', enter, 'launch', rootScript(launch), ...programArguments(launch)];
}

/** A process that does nothing but hold the pod's network namespace and cgroup, as the pause container does. */
export function pauseCommand(
  network: string,
  joinFiles: readonly string[],
): readonly [string, ...string[]] {
  const script = `${joinLines(joinFiles)}
exec nsenter --net=${quote(network)} sh -ec 'echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
exec setpriv --pdeathsig KILL sleep infinity'`;
  return ['sh', '-ec', script];
}

function joinLines(joinFiles: readonly string[]): string {
  return joinFiles.map((file) => `echo 0 > ${quote(file)}`).join('\n');
}

/** Runs inside the new mount and UTS namespaces; its arguments are the program. */
function rootScript(launch: Launch): string {
  const scratch = quote(launch.scratchDirectory);
  const { root, firstProcess } = launch;
  return `echo ${quote(launch.hostname)} > /proc/sys/kernel/hostname
mount -t tmpfs -o mode=0755 aquifer ${scratch}
mkdir ${scratch}/upper ${scratch}/work ${scratch}/root
cp -R ${quote(launch.overlayDirectory)}/. ${scratch}/upper/
cd ${quote(root.kind === 'machine' ? '/' : root.layersDirectory)}
mount -t overlay overlay -o lowerdir=${lowerDirectories(root)},upperdir=${scratch}/upper,workdir=${scratch}/work ${scratch}/root
cd ${scratch}/root
mkdir -p proc sys dev .machine
mount --rbind /proc proc
${firstProcess === null ? '' : `mount --bind /proc/${firstProcess} proc/1`}
mount --rbind /sys sys
mount --rbind /dev dev
${root.kind === 'machine' ? machineRootLines(root.mounts) : imageRootLines(root.toolsDirectory)}
pivot_root . .machine
cd /
${root.kind === 'image' ? TOOL_FUNCTIONS : ''}
${launch.mounts.map(bindLine).join('\n')}
umount -l /.machine
rmdir /.machine
${launch.preparation.join('\n')}
mkdir -p ${quote(launch.workingDirectory)}
cd ${quote(launch.workingDirectory)}
echo ${LAUNCHED} >&${LAUNCH_PIPE}
exec "$@" ${LAUNCH_PIPE}>&-`;
}

function lowerDirectories(root: ContainerRoot): string {
  return root.kind === 'machine' ? '/' : root.layers.toReversed().join(':');
}

function machineRootLines(mounts: readonly string[]): string {
  return `mount -t tmpfs -o mode=0755 aquifer run
mount -t tmpfs -o mode=1777 aquifer tmp
${mounts.map((path) => `mount --rbind ${quote(path)} .${quote(path)}`).join('\n')}`;
}

function imageRootLines(toolsDirectory: string): string {
  return `mkdir .${TOOLS_IN_CONTAINER}
mount -o bind,ro ${quote(toolsDirectory)} .${TOOLS_IN_CONTAINER}`;
}

function bindLine({ source, target, kind, readOnly }: BindMount): string {
  const make =
    kind === 'directory'
      ? `mkdir -p ${quote(target)}`
      : `mkdir -p ${quote(dirname(target))}; [ -e ${quote(target)} ] || : > ${quote(target)}`;
  const options = readOnly ? 'bind,ro' : 'rbind';
  return `${make}\nmount -o ${options} ${quote(`/.machine${source}`)} ${quote(target)}`;
}

/** A command line that, inside of the container, runs `command` with its rights and no other variables. */
export function programArguments({
  root,
  privileges,
  environment,
  command,
}: Pick<Launch, 'root' | 'privileges' | 'environment' | 'command'>): readonly string[] {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const tool = (name: 'setpriv' | 'env'): readonly string[] =>
    root.kind === 'machine' ? [name] : toolInContainer(name);
  const options = privilegeOptions(privileges);
  return [...tool('setpriv'), ...options, ...tool('env'), '-i', ...variables, ...command];
}

/** Options of setpriv(1); with them the program also dies with the sandbox. */
export function privilegeOptions(privileges: Privileges): string[] {
  const { user, group, supplementalGroups, capabilities, mayGainPrivileges } = privileges;
  const options = ['--pdeathsig', 'KILL'];
  if (user !== null) options.push(`--reuid=${user}`, `--regid=${group ?? user}`);
  else if (group !== null) options.push(`--regid=${group}`);
  if (supplementalGroups.length > 0) options.push(`--groups=${supplementalGroups.join(',')}`);
  else if (user !== null || group !== null) options.push('--clear-groups');
  if (capabilities !== null) {
    const kept = capabilities.map((name) => `,+${name.toLowerCase()}`).join('');
    options.push(`--bounding-set=-all${kept}`, '--inh-caps=-all');
  }
  if (!mayGainPrivileges) options.push('--no-new-privs');
  return options;
}

/** File systems to carry into containers, from the text of /proc/self/mountinfo. */
export function machineMounts(mountInfo: string): readonly string[] {
  const own = /^\/(proc|sys|dev|run|tmp|boot|snap|etc\/(resolv\.conf|hosts|hostname))(\/|$)/;
  const paths = mountInfo
    .split('\n')
    .map((line) => line.split(' ')[4]?.replaceAll('\\040', ' ') ?? '/')
    .filter((path) => path !== '/' && !own.test(path));
  // A recursive bind of the parent brings its children.
  const unique = [...new Set(paths)];
  return unique.filter((path) => !unique.some((other) => path.startsWith(`${other}/`)));
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
