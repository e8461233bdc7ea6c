import { expect, test } from 'vitest';
import { type Hierarchy, hierarchies, limitSettings } from './cgroup-hierarchies.ts';
import { podGroup } from './cgroups.ts';

const unified = (path: string): string => `31 22 0:27 / ${path} rw - cgroup2 cgroup2 rw`;
const controller = (name: string): string =>
  `40 22 0:30 / /sys/fs/cgroup/${name} rw - cgroup cgroup rw,${name}`;

test.for([
  {
    host: 'v2',
    mounts: [unified('/sys/fs/cgroup')],
    delegated: ['cpu', 'memory', 'pids'],
    used: ['/sys/fs/cgroup cpu memory pids'],
  },
  {
    host: 'v2 without delegation',
    mounts: [unified('/sys/fs/cgroup')],
    delegated: [],
    used: ['/sys/fs/cgroup '],
  },
  {
    host: 'v1',
    mounts: ['memory', 'pids', 'cpuacct', 'cpu', 'freezer'].map(controller),
    delegated: [],
    used: [
      '/sys/fs/cgroup/memory memory',
      '/sys/fs/cgroup/pids pids',
      '/sys/fs/cgroup/cpuacct cpuacct',
      '/sys/fs/cgroup/cpu cpu (only with a limit for processors)',
    ],
  },
  {
    host: 'hybrid',
    mounts: [...['pids', 'cpu,cpuacct'].map(controller), unified('/sys/fs/cgroup/unified')],
    delegated: [],
    used: [
      '/sys/fs/cgroup/unified ',
      '/sys/fs/cgroup/pids pids',
      '/sys/fs/cgroup/cpu,cpuacct cpu cpuacct (only with a limit for processors)',
    ],
  },
])('on a $host machine $used are used', ({ mounts, delegated, used }) => {
  const found = hierarchies(`${mounts.join('\n')}\n`, () => delegated);
  expect(found.map(shown)).toEqual(used);
});

function shown({ root, controllers, isForProcessorLimits }: Hierarchy): string {
  const when = isForProcessorLimits ? ' (only with a limit for processors)' : '';
  return `${root} ${controllers.join(' ')}${when}`;
}

test.for([
  {
    version: 1,
    settings: ['cpu.cfs_period_us 100000', 'cpu.cfs_quota_us 50000', 'memory.limit_in_bytes 1024'],
  },
  { version: 2, settings: ['cpu.max 50000 100000', 'memory.max 1024', 'memory.oom.group 1'] },
] as const)('half a processor and a KiB are, in v$version, $settings', ({ version, settings }) => {
  const hierarchy = { root: '', version, controllers: ['cpu', 'memory'] } as const;
  const limits = { processors: 0.5, memoryBytes: 1024 };
  const set = limitSettings({ ...hierarchy, isForProcessorLimits: false }, limits);
  expect(set.map((setting) => setting.join(' '))).toEqual(settings);
  const none = { processors: null, memoryBytes: null };
  expect(limitSettings({ ...hierarchy, isForProcessorLimits: false }, none)).toEqual([]);
});

test('a hundredth of a processor is the least that the kernel takes', () => {
  const hierarchy: Hierarchy = {
    root: '',
    version: 2,
    controllers: ['cpu'],
    isForProcessorLimits: false,
  };
  const limits = { processors: 0.001, memoryBytes: null };
  expect(limitSettings(hierarchy, limits)).toEqual([['cpu.max', '1000 100000']]);
});

test('the path of a pod carries its uid below kubepods and its class', () => {
  expect(podGroup('1-2', 'Burstable')).toBe('aquifer/kubepods/burstable/pod1-2');
  expect(podGroup('1-2', 'Guaranteed')).toBe('aquifer/kubepods/pod1-2');
});
