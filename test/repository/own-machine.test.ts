import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { canHaveOwnMachine, spawnOnOwnMachine } from '../setup/own-machine.mjs';

const MODULE = join(import.meta.dirname, '..', 'setup', 'own-machine.mjs');
/** What a sandbox makes, and a process that its parent forgets, all with a name that is found again. */
const MAKE = `
ip netns add marked
nft add table ip marked
touch /run/marked
for procs in $(find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs); do mkdir "\${procs%/*}/marked"; done
setsid sleep 98765 &
echo made
read -r line`;
const NAMES = `
ip netns | grep -o marked
nft list tables | grep -o marked
ls /run | grep marked`;
const LOOK = `${NAMES}
find /sys/fs/cgroup -maxdepth 4 -name marked | grep -o marked
grep -lzx '9876[5]' /proc/[0-9]*/cmdline | sed 's/.*/process/'
true`;

function shell(script: string): string[] {
  return ['sh', '-c', script];
}

/** What of it is seen. */
async function seenBy(child: ChildProcess): Promise<string> {
  return await text(child.stdout!);
}

const seenFromHere = (script = LOOK) => seenBy(spawn('sh', ['-c', script]));
const seenFromAnother = () => seenBy(spawnOnOwnMachine(shell(LOOK), { stdio: 'pipe' }));

describe.skipIf(!canHaveOwnMachine())('a machine of its own', () => {
  test('has what its job makes, which nobody else sees, and which ends with the job', async () => {
    const job = spawnOnOwnMachine(shell(MAKE + LOOK), { stdio: 'pipe' });
    const ended = once(job, 'close');
    const made = text(job.stdout!);
    await once(job.stdout!, 'readable');
    // Processes and control groups are seen from where a machine was made, as those of a container are.
    expect(await seenFromHere(NAMES)).toBe('');
    expect(await seenFromAnother()).toBe('');
    job.stdin!.end('\n');
    await ended;
    const found = (await made).split('\n');
    expect(new Set(found)).toEqual(new Set(['made', 'marked', 'process', '']));
    expect(found.filter((line) => line === 'marked').length).toBeGreaterThanOrEqual(4);
    expect(await seenFromHere()).toBe('');
  });

  test('ends with whoever is interrupted who started it', async () => {
    const start = `
      import { spawnOnOwnMachine } from '${MODULE}';
      spawnOnOwnMachine(['sh', '-c', process.argv[1]], { stdio: ['pipe', 'inherit', 'inherit'] });`;
    const args = ['--input-type=module', '-e', start, MAKE];
    const starter = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(starter.stdout!, 'readable');
    starter.kill('SIGINT');
    expect(await once(starter, 'exit')).toEqual([130, null]);
    expect(await seenFromHere()).toBe('');
  });
});
