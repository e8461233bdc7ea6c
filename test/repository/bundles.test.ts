import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { ensureBundles } from '../fixtures/bundles.ts';
import { eventually } from '../fixtures/eventually.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** Packages in each bundle, with bytes. */
let bundles: Readonly<Record<string, Readonly<Record<string, number>>>>;

beforeAll(() => {
  ensureBundles();
  const record = readFileSync(join(ROOT, 'dist', 'record.json'), 'utf8');
  ({ bundles } = JSON.parse(record) as { bundles: typeof bundles });
});

/** What costs more memory than the program has: zod alone takes 20 MB, the Kubernetes client 40. */
const LARGE = [
  ...['@kubernetes/client-node', 'zod', '@aquifer/model/resources', 'yaml', 'undici'],
  ...['protobufjs', '@opentelemetry/api'],
];

test.for([
  { file: 'ztunnel/main.mjs', without: [...LARGE, 're2js', '@aquifer/http'] },
  { file: 'ztunnel/thread.mjs', without: [...LARGE, '@grpc/grpc-js', 'node-forge', 'prom-client'] },
  { file: 'waypoint/main.mjs', without: LARGE },
  {
    file: 'waypoint/thread.mjs',
    without: [...LARGE, '@grpc/grpc-js', 'node-forge', 'prom-client'],
  },
  { file: 'certificate-files/main.mjs', without: LARGE },
  { file: 'control-plane/main.mjs', without: ['yaml'] },
  { file: 'cli/main.mjs', without: ['@kubernetes/client-node', 'undici', 'zod'] },
])('the bundle $file does not hold what it need not load', ({ file, without }) => {
  expect(bundles).toHaveProperty([file]);
  expect(without.filter((name) => name in bundles[file]!)).toEqual([]);
});

test.for(['ztunnel/main.mjs', 'ztunnel/thread.mjs', 'waypoint/main.mjs', 'waypoint/thread.mjs'])(
  '%s reads no more of a module of Node than it uses',
  (file) => {
    const text = readFileSync(join(ROOT, 'dist', file), 'utf8');
    expect(text).not.toMatch(/from\s*"node:/);
  },
);

test('what is imported while a program runs has the names that it is asked for', () => {
  const files = readdirSync(join(ROOT, 'dist'), { recursive: true, encoding: 'utf8' });
  const nameless = files
    .filter((file) => file.endsWith('.mjs'))
    .filter((file) =>
      /export default require_/.test(readFileSync(join(ROOT, 'dist', file), 'utf8')),
    );
  expect(nameless).toEqual([]);
});

test('a second build without a change does nothing', () => {
  const build = join(ROOT, 'test', 'setup', 'bundles.mjs');
  const output = execFileSync(process.execPath, [build], { encoding: 'utf8' });
  expect(output).toBe('dist/ is current\n');
});

/** The sources in a folder of their own, to be changed; packages from elsewhere are those of this clone. */
function copyOfSources(): string {
  const copy = mkdtempSync(join(tmpdir(), 'aquifer-clone-'));
  onTestFinished(() => rmSync(copy, { recursive: true }));
  for (const part of ['packages', 'test/setup', 'package.json', 'package-lock.json']) {
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  }
  mkdirSync(join(copy, 'node_modules', '@aquifer'), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name === '@aquifer') continue;
    symlinkSync(join(ROOT, 'node_modules', name), join(copy, 'node_modules', name));
  }
  for (const name of readdirSync(join(copy, 'packages'))) {
    symlinkSync(join(copy, 'packages', name), join(copy, 'node_modules', '@aquifer', name));
  }
  return copy;
}

test('a source that changes while it is built is built again, by whoever waited for that build to end', async () => {
  const copy = copyOfSources();
  const dist = join(copy, 'dist');
  const build = () => spawn(process.execPath, [join(copy, 'test/setup/bundles.mjs')]);
  const source = join(copy, 'packages/sandbox/src/images/echo/main.ts');
  const late = join(copy, 'packages/sandbox/src/images/echo/late.ts');
  appendFileSync(source, "import './late.ts';");
  execFileSync('mkfifo', [late]);
  const first = build();
  const firstEnded = once(first, 'exit');
  // The build reads it, and has read who imports it.
  const pipe = await open(late, 'w');
  appendFileSync(source, "console.log('a later version');");
  const second = build();
  const secondEnded = once(second, 'exit');
  await eventually(() => readdirSync(dist).some((name) => name.startsWith('building.')), {
    timeoutMs: 60_000,
  });
  writeFileSync(`${late}.new`, 'export {};');
  renameSync(`${late}.new`, late);
  await pipe.writeFile('export {};');
  await pipe.close();
  expect(await firstEnded).toEqual([0, null]);
  expect(await secondEnded).toEqual([0, null]);
  expect(readFileSync(join(dist, 'echo/main.mjs'), 'utf8')).toContain('a later version');
  // As a build leaves it that was killed while it wrote.
  rmSync(join(dist, 'record.json'));
  writeFileSync(join(dist, 'building'), '');
  utimesSync(join(dist, 'building'), 0, 0);
  expect(await once(build(), 'exit')).toEqual([0, null]);
  expect(readdirSync(dist)).toContain('record.json');
  expect(readdirSync(dist).filter((name) => name.startsWith('building'))).toEqual([]);
}, 180_000);

test('the packed tarball holds all that the command needs, wherever it is unpacked', () => {
  const directory = mkdtempSync(join(tmpdir(), 'aquifer-package-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const pack = ['pack', '--silent', '--pack-destination', directory];
  const tarball = execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8' })
    .trim()
    .split('\n')
    .at(-1)!;
  execFileSync('tar', ['-xzf', join(directory, tarball), '-C', directory]);
  const unpacked = join(directory, 'package');
  // What npm installs beside it.
  mkdirSync(join(unpacked, 'node_modules'));
  symlinkSync(join(ROOT, 'node_modules', 'node'), join(unpacked, 'node_modules', 'node'));
  const aquifer = (...args: string[]) =>
    spawnSync(
      process.execPath,
      [join(unpacked, 'packages', 'cli', 'bin', 'aquifer.mjs'), ...args],
      {
        encoding: 'utf8',
        cwd: directory,
        env: { ...process.env, SANDBOX_DATA_DIR: directory },
      },
    );
  expect(aquifer('--help')).toMatchObject({ status: 0, stderr: '' });
  expect(aquifer('sandbox', 'status', '-o', 'json').stdout).toBe('{\n  "running": false\n}\n');
  for (const program of ['ztunnel', 'waypoint']) {
    const bundle = join(unpacked, 'dist', program, 'main.mjs');
    const { status, stderr } = spawnSync(process.execPath, [bundle], {
      encoding: 'utf8',
      env: { ADMIN_PORT: 'many' },
    });
    expect({ status, stderr }).toMatchObject({
      status: 64,
      stderr: expect.stringContaining('ADMIN_PORT'),
    });
  }
}, 120_000);
