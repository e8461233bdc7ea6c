import { expect, test } from 'vitest';
import { machineMounts, privilegeOptions } from './container-launch.ts';

const everything = {
  user: null,
  group: null,
  supplementalGroups: [],
  capabilities: null,
  mayGainPrivileges: true,
};

test.for([
  { wish: 'nothing', privileges: everything, options: [] },
  {
    wish: 'a user',
    privileges: { ...everything, user: 1000 },
    options: ['--reuid=1000', '--regid=1000', '--clear-groups'],
  },
  {
    wish: 'a user, a group and an fsGroup',
    privileges: { ...everything, user: 1000, group: 3000, supplementalGroups: [2000] },
    options: ['--reuid=1000', '--regid=3000', '--groups=2000'],
  },
  {
    wish: 'one capability and no more',
    privileges: { ...everything, capabilities: ['NET_ADMIN'], mayGainPrivileges: false },
    options: ['--bounding-set=-all,+net_admin', '--inh-caps=-all', '--no-new-privs'],
  },
])('$wish becomes options of setpriv', ({ privileges, options }) => {
  expect(privilegeOptions(privileges)).toEqual(['--pdeathsig', 'KILL', ...options]);
});

test('containers see the file systems of the machine, but not those that they have of their own', () => {
  const line = (path: string): string => `20 1 8:1 / ${path} rw - ext4 /dev/sda1 rw`;
  const paths = ['/', '/proc', '/home', '/home/me/disk', '/run/netns/aqf-x', '/tmp', '/dev/shm'];
  const mounts = machineMounts([...paths, '/etc/hosts', '/data\\040disk'].map(line).join('\n'));
  expect(mounts).toEqual(['/home', '/data disk']);
});
