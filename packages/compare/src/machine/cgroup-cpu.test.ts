import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CgroupCpu, cgroupCpuMicros, cgroupProcesses } from './cgroup-cpu.ts';

function hierarchy(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'aquifer-cgroup-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const unified = (root: string) => `31 22 0:27 / ${root} rw - cgroup2 cgroup2 rw`;
const accounting = (root: string) => `40 22 0:30 / ${root} rw - cgroup cgroup rw,cpu,cpuacct`;

test.for([
  {
    version: 'v2 of the sandbox',
    mount: unified,
    path: 'aquifer/kubepods/burstable/pod1/abc',
    file: 'cpu.stat',
    text: 'usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n',
  },
  {
    version: 'v2 of systemd',
    mount: unified,
    path: 'kubepods.slice/kubepods-pod1.slice/cri-containerd-abc.scope',
    file: 'cpu.stat',
    text: 'usage_usec 1500\n',
  },
  {
    version: 'v1',
    mount: accounting,
    path: 'kubepods/besteffort/pod1/abc',
    file: 'cpuacct.usage',
    text: '1500000\n',
  },
])('finds a container and its processor time under $version', ({ mount, path, file, text }) => {
  const root = hierarchy({
    [`${path}/${file}`]: text,
    [`${path}/cgroup.procs`]: '12\n13\n',
    'system.slice/abc/cpu.stat': 'usage_usec 9\n',
  });
  const directories = new CgroupCpu(mount(root)).directories(['abc', 'def']);
  expect(directories).toEqual(new Map([['abc', join(root, path)]]));
  expect(cgroupCpuMicros(join(root, path))).toBe(1500);
  expect(cgroupProcesses(join(root, path))).toEqual([12, 13]);
});

test('a machine that counts nothing is refused, with what to do', () => {
  expect(() => new CgroupCpu('1 2 0:3 / /tmp rw - tmpfs tmpfs rw\n')).toThrow('mount cgroup2');
});

test('a cgroup that is gone is told from one that used nothing', () => {
  expect(cgroupCpuMicros('/nowhere')).toBeNull();
  expect(cgroupProcesses('/nowhere')).toEqual([]);
});
