/** The hierarchies of control groups of a machine, and which of their files set and tell what a container may use. Pure. */

/** What pods need of a machine's controllers. */
const CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'pids'] as const;
type Controller = (typeof CONTROLLERS)[number];

export interface Hierarchy {
  /** Mount point. */
  readonly root: string;
  readonly version: 1 | 2;
  /** On v2, those that groups below the root can have. */
  readonly controllers: readonly Controller[];
  /**
   * Whether only containers with a limit for processors have a group here. In a hierarchy of v1 all of a group weigh as
   * much as one process outside of it, so that who needs no group is better off without.
   */
  readonly isForProcessorLimits: boolean;
}

/** What a container may use at most; null for as much as there is. */
export interface ContainerLimits {
  /** Processors; 0.5 is half of one's time. */
  readonly processors: number | null;
  readonly memoryBytes: number | null;
}

/** A file of a group and what to write to it. */
type Setting = readonly [file: string, value: string];

/** https://docs.kernel.org/scheduler/sched-bwc.html: the time in which a quota is used up and renewed, and its least. */
const PERIOD_US = 100_000;
const LEAST_QUOTA_US = 1_000;

/**
 * The hierarchies to use, from the text of /proc/self/mountinfo: the unified one, and of v1 those with a controller that
 * pods need. `delegated` tells which of these controllers the unified hierarchy at a mount point has.
 */
export function hierarchies(
  mountInfo: string,
  delegated: (root: string, names: readonly string[]) => readonly string[],
): readonly Hierarchy[] {
  const mounts = mountInfo.split('\n').flatMap(cgroupMount);
  const unified = mounts.filter(({ version }) => version === 2).slice(0, 1);
  const found = new Map<string, Hierarchy>();
  for (const { root } of unified) {
    const controllers = known(delegated(root, CONTROLLERS));
    found.set(root, { root, version: 2, controllers, isForProcessorLimits: false });
  }
  for (const { root, version, options } of mounts) {
    const controllers = known(options);
    if (version === 2 || controllers.length === 0 || found.has(root)) continue;
    // The unified hierarchy counts processor time without a controller.
    const isNeeded = unified.length > 0 ? ['memory', 'pids'] : ['memory', 'pids', 'cpuacct'];
    const isForProcessorLimits = !controllers.some((name) => isNeeded.includes(name));
    if (isForProcessorLimits && !controllers.includes('cpu')) continue;
    found.set(root, { root, version: 1, controllers, isForProcessorLimits });
  }
  return [...found.values()];
}

function cgroupMount(
  line: string,
): readonly { root: string; version: 1 | 2; options: readonly string[] }[] {
  const [mount, filesystem] = line.split(' - ');
  const root = mount?.split(' ')[4];
  const [type, , options = ''] = filesystem?.split(' ') ?? [];
  if (root === undefined || (type !== 'cgroup' && type !== 'cgroup2')) return [];
  return [{ root, version: type === 'cgroup2' ? 2 : 1, options: options.split(',') }];
}

function known(names: readonly string[]): readonly Controller[] {
  return CONTROLLERS.filter((name) => names.includes(name));
}

/** What to write into a container's group, so that the limits hold. */
export function limitSettings(
  { version, controllers }: Hierarchy,
  { processors, memoryBytes }: ContainerLimits,
): readonly Setting[] {
  const settings: Setting[] = [];
  if (processors !== null && controllers.includes('cpu')) {
    const quotaUs = Math.max(LEAST_QUOTA_US, Math.round(processors * PERIOD_US));
    if (version === 2) settings.push(['cpu.max', `${quotaUs} ${PERIOD_US}`]);
    else settings.push(['cpu.cfs_period_us', `${PERIOD_US}`], ['cpu.cfs_quota_us', `${quotaUs}`]);
  }
  if (memoryBytes !== null && controllers.includes('memory')) {
    if (version === 2) settings.push(['memory.max', `${memoryBytes}`], ['memory.oom.group', '1']);
    else settings.push(['memory.limit_in_bytes', `${memoryBytes}`]);
  }
  return settings;
}

/** Where a group tells how many of its processes the kernel ended for want of memory, on a line `oom_kill N`. */
export function oomFile({ version }: Hierarchy): string {
  return version === 2 ? 'memory.events' : 'memory.oom_control';
}

/** Where a group tells what it uses: processor time with its unit in seconds, and memory with what of it is cache. */
export interface UsageFiles {
  readonly processor: {
    readonly file: string;
    readonly line: string | null;
    readonly unit: number;
  };
  readonly memory: { readonly file: string; readonly cacheLine: string };
}

export const USAGE_FILES: Readonly<Record<1 | 2, UsageFiles>> = {
  1: {
    processor: { file: 'cpuacct.usage', line: null, unit: 1e-9 },
    memory: { file: 'memory.usage_in_bytes', cacheLine: 'total_inactive_file' },
  },
  2: {
    processor: { file: 'cpu.stat', line: 'usage_usec', unit: 1e-6 },
    memory: { file: 'memory.current', cacheLine: 'inactive_file' },
  },
};

/** The number after `name` in a file of lines `name number`; 0 if it has none. */
export function numberAfter(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}
