import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

/** What each package may import of ours: layers point downwards only (docs/ARCHITECTURE.md). */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  model: [],
  runtime: [],
  http: [],
  wire: ['model'],
  hbone: ['http', 'wire', 'model'],
  'control-plane-client': ['runtime', 'wire', 'model'],
  compare: ['runtime', 'wire', 'model'],
  ztunnel: ['hbone', 'control-plane-client', 'runtime', 'wire', 'model'],
  waypoint: ['http', 'hbone', 'control-plane-client', 'runtime', 'wire', 'model'],
  'control-plane': ['runtime', 'wire', 'model'],
  'kube-api': ['runtime', 'wire', 'model'],
  sandbox: ['kube-api', 'runtime', 'wire', 'model'],
  cli: ['compare', 'dashboard', 'runtime', 'wire', 'model'],
  dashboard: [],
};

/** Packages where importing these costs more memory than they may use, or would break their purity. */
const NEVER_IMPORT: Readonly<Record<string, readonly RegExp[]>> = {
  model: [/^node:/],
  wire: [/^node:/],
  ...Object.fromEntries(
    ['ztunnel', 'waypoint', 'hbone', 'control-plane-client'].map((name) => [
      name,
      [/^@kubernetes\/client-node/, /^@aquifer\/model\/resources/, /^zod/],
    ]),
  ),
};

const TOP_LEVEL = [
  ...['package.json', 'package-lock.json', 'tsconfig.json', 'README.md', 'CHANGELOG.md', 'LICENSE'],
  ...['packages', 'deploy', 'test', 'docs', 'biome.json', 'knip.json', 'vitest.config.ts'],
  ...['Dockerfile.ztunnel', 'Dockerfile.waypoint', 'Dockerfile.control-plane'],
];

const BANNED_NAMES = /^(utils?|helpers?|commons?|misc|shared)(\.|$)/;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .trim()
  .split('\n');
const sources = files.filter(
  (file) => /^packages\/[^/]+\/src\/.*\.ts$/.test(file) && !file.includes('/src/gen/'),
);

function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/^(?:import|export)\b[^;]*?from\s+'([^']+)'/gms)].map(
    ([, from]) => from!,
  );
}

describe('the layers', () => {
  const packages = [...new Set(sources.map((file) => file.split('/')[1]!))];

  test.for(packages)('%s imports only what lies below it', (name) => {
    const ours = sources.filter((source) => source.startsWith(`packages/${name}/`));
    const wrong = ours.flatMap((file) =>
      importsOf(file)
        .filter((from) => !mayImport(name, file, from))
        .map((from) => `${file} imports ${from}`),
    );
    expect(wrong).toEqual([]);
  });
});

function mayImport(name: string, file: string, from: string): boolean {
  const [, other = name] = /^@aquifer\/([^/]+)/.exec(from) ?? [];
  if (other !== name && !MAY_IMPORT[name]?.includes(other)) return false;
  // Another package's files are reached through its exports only.
  if (/^(\.\.\/)+[^.]+\/src\//.test(from)) return false;
  // Tests may use fixtures, and whatever shows them the truth.
  if (file.endsWith('.test.ts')) return true;
  const isForbidden = NEVER_IMPORT[name]?.some((pattern) => pattern.test(from)) ?? false;
  return !isForbidden && !(from.startsWith('.') && from.includes('/test/'));
}

test('nothing is named after nothing', () => {
  const banned = files
    // Protobuf packages keep the names that travel on the wire.
    .filter(
      (file) =>
        !/^(test\/fixtures\/golden|packages\/wire\/(proto|src\/gen)\/(envoy|opentelemetry))\//.test(
          file,
        ),
    )
    .filter((file) => file.split('/').some((part) => BANNED_NAMES.test(part)));
  expect(banned).toEqual([]);
});

test('the top level is the user own and stays as it is', () => {
  const names = new Set(files.map((file) => file.split('/')[0]!));
  const strangers = [...names].filter((name) => !name.startsWith('.') && !TOP_LEVEL.includes(name));
  expect(strangers).toEqual([]);
});

test('the entry of a process fits on a screen', () => {
  const long = sources
    .filter((file) => basename(file) === 'main.ts')
    .filter((file) => readFileSync(join(ROOT, file), 'utf8').split('\n').length > 41);
  expect(long).toEqual([]);
});

test('no file is longer than 400 lines', () => {
  const long = files
    .filter((file) => /^(packages|test)\/.*\.(ts|mjs)$/.test(file) && !file.includes('/src/gen/'))
    .filter((file) => readFileSync(join(ROOT, file), 'utf8').split('\n').length > 401);
  expect(long).toEqual([]);
});

test('no file imports itself by way of others, types included', () => {
  const inPackage = new Map(
    sources
      .filter((file) => !file.endsWith('.test.ts'))
      .map((file) => {
        const near = importsOf(file).filter((from) => from.startsWith('.'));
        return [file, near.map((from) => join(dirname(file), from))];
      }),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (path.includes(file) || done.has(file)) return;
    for (const next of inPackage.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of inPackage.keys()) visit(file, []);
  expect(circles).toEqual([]);
});

test('time that a test stops goes on after it: files of one worker share the process', () => {
  const stopped = files
    .filter((file) => file.endsWith('.test.ts') && file !== 'test/repository/layout.test.ts')
    .filter((file) => {
      const text = readFileSync(join(ROOT, file), 'utf8');
      return text.includes('useFakeTimers(') && !text.includes('useRealTimers(');
    });
  expect(stopped).toEqual([]);
});
