import { expect, test } from 'vitest';
import { hierarchies, podGroup } from './cgroups.ts';

const unified = (path: string): string => `31 22 0:27 / ${path} rw - cgroup2 cgroup2 rw`;
const controller = (name: string): string =>
  `40 22 0:30 / /sys/fs/cgroup/${name} rw - cgroup cgroup rw,${name}`;

test.for([
  { host: 'v2', mounts: [unified('/sys/fs/cgroup')], used: ['/sys/fs/cgroup'] },
  {
    host: 'v1',
    mounts: [controller('memory'), controller('pids'), controller('cpuacct')],
    used: ['/sys/fs/cgroup/cpuacct', '/sys/fs/cgroup/pids'],
  },
  {
    host: 'hybrid',
    mounts: [controller('pids'), controller('cpuacct'), unified('/sys/fs/cgroup/unified')],
    used: ['/sys/fs/cgroup/unified', '/sys/fs/cgroup/pids'],
  },
])('on a $host machine $used are used', ({ mounts, used }) => {
  expect(hierarchies(`${mounts.join('\n')}\n`)).toEqual(used);
});

test('the path of a pod carries its uid below kubepods and its class', () => {
  expect(podGroup('1-2', 'Burstable')).toBe('aquifer/kubepods/burstable/pod1-2');
  expect(podGroup('1-2', 'Guaranteed')).toBe('aquifer/kubepods/pod1-2');
});
