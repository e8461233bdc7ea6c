/** Programs in Go that tests build, each a folder of test/fixtures with a module of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './prerequisites.mjs';

/** Null where there is no Go. */
export const goCommand =
  ['/usr/local/go/bin/go', '/usr/lib/go/bin/go', '/usr/bin/go'].find(existsSync) ?? null;

/** What is built, by folder: a package of the folder's module. */
export const GO_PROGRAMS = {
  'nri-runtime': '.',
  'grpc-peer': '.',
  h2spec: 'github.com/summerwind/h2spec/cmd/h2spec',
  'kubernetes-client': '.',
  'crd-validation': '.',
};

/** Those that every run of the tests has time to build; the others take minutes, and are built by who asks for them. */
const BUILT_AHEAD = Object.entries(GO_PROGRAMS).filter(
  ([folder]) => folder !== 'kubernetes-client' && folder !== 'crd-validation',
);

export function goFolder(folder) {
  return join(repositoryRoot, 'test', 'fixtures', folder);
}

/** Whether all that a program consists of is in Go's cache, so that it is there in seconds. False without Go. */
export function isCompiledGoProgram(folder) {
  if (goCommand === null) return false;
  const args = ['build', '-n', '-o', '/dev/null', GO_PROGRAMS[folder]];
  const { status, stderr } = spawnSync(goCommand, args, {
    cwd: goFolder(folder),
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  return status === 0 && !stderr.includes('/compile ');
}

/** For builds that have no network. What is missing then is said by whoever builds. */
export function downloadGoModules() {
  if (goCommand === null) return;
  for (const [folder] of BUILT_AHEAD) {
    spawnSync(goCommand, ['mod', 'download'], { cwd: goFolder(folder), stdio: 'ignore' });
  }
}

/**
 * Begins to build them, for Go's own cache: a minute that would otherwise be waited for in the middle of the tests,
 * most of which wait for something else than a processor.
 */
export function buildGoProgramsAhead() {
  if (goCommand === null) return;
  const [first, ...others] = BUILT_AHEAD;
  buildInTurn(first, others);
}

function buildInTurn(program, others) {
  if (program === undefined) return;
  const [folder, source] = program;
  const args = ['build', '-p', '1', '-o', '/dev/null', source];
  const child = spawn(goCommand, args, { cwd: goFolder(folder), stdio: 'ignore' });
  // Whoever needs it builds it again, and says what is wrong.
  child.once('error', () => undefined);
  child.once('close', () => buildInTurn(others[0], others.slice(1)));
}
