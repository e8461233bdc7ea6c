import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Cgroups } from './nodes/cgroups.ts';
import { runCommand } from './nodes/command.ts';
import { closeEgress } from './nodes/egress.ts';
import { removeNetwork } from './nodes/network.ts';
import { dropLock, readLock, refuseSecondSandbox, type SandboxLock } from './sandbox-lock.ts';

/** Below the data directory. `api` holds the API server's database and keys; `pods` a directory per pod, `volumes` one per claim, `images` those that were loaded, `tools` programs for their containers. */
export const DATA = {
  api: 'api',
  pods: 'pods',
  volumes: 'volumes',
  images: 'images',
  tools: 'tools',
  kubeconfig: 'kubeconfig',
  state: 'sandbox.json',
} as const;

/**
 * Removes everything that a sandbox which did not end in order left: processes, namespaces, links, cgroups, files.
 * Container mounts need no removal: they live in namespaces that end with their processes. Throws `SandboxError`
 * SB_ALREADY_RUNNING if the sandbox is alive. Returns whether there was anything to remove.
 */
export async function cleanUp(): Promise<boolean> {
  refuseSecondSandbox();
  const lock = readLock();
  await removeAll(lock);
  return lock !== null;
}

/** The machine without a trace of that sandbox; with `keepData` the API's database, the volumes and the images stay. */
export async function removeAll(lock: SandboxLock | null): Promise<void> {
  await new Cgroups().removeAll();
  await removeNetwork();
  if (lock?.egress != null) await closeEgress(lock.egress);
  if (lock !== null) {
    const { dataDirectory, keepData } = lock;
    const kept = keepData ? [] : [DATA.api, DATA.volumes, DATA.images];
    const gone = [DATA.pods, DATA.tools, DATA.kubeconfig, DATA.state, ...kept];
    for (const name of gone) await rm(join(dataDirectory, name), { recursive: true, force: true });
    // Only if empty: somebody may keep files of their own there.
    await rmdir(dataDirectory).catch(() => undefined);
    for (const directory of lock.madeDirectories) await removeToolDirectory(directory);
  }
  dropLock();
}

/** Left alone if somebody else has come to use it. */
async function removeToolDirectory(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => [] as string[]);
  if (names.some((name) => !name.startsWith('utab'))) return;
  // ip(8) mounts /run/netns on itself, sometimes twice; /run/mount is no mount.
  const unmount = (): Promise<boolean> =>
    runCommand('umount', ['--quiet', directory]).then(
      () => true,
      () => false,
    );
  while (await unmount());
  await rm(directory, { recursive: true, force: true }).catch(() => undefined);
}
