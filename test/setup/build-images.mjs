/**
 * `npm run images [-- --base IMAGE] [-- --tag dev]`: builds the three images with docker, podman or buildah, whichever
 * is there. Plain JavaScript: it runs on the system's Node.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { hasProgram, repositoryRoot } from './prerequisites.mjs';

const { values } = parseArgs({
  options: { base: { type: 'string' }, tag: { type: 'string', default: 'dev' } },
});

/** Command line of each builder up to the options that they share. */
const BUILDERS = {
  docker: ['docker', 'build'],
  podman: ['podman', 'build'],
  // Without a daemon and without namespaces of its own, so that it also works inside a container.
  // With layers, as the others: the images share the stage that builds them.
  buildah: ['buildah', 'build', '--layers', '--isolation', 'chroot'],
};

const builder = Object.keys(BUILDERS).find(
  (name) => hasProgram(name) && spawnSync(name, ['info'], { stdio: 'ignore' }).status === 0,
);
if (builder === undefined) {
  console.error(
    'No image builder works here. Install docker, podman or buildah (apt-get install buildah).',
  );
  process.exit(1);
}
for (const name of ['ztunnel', 'waypoint', 'control-plane']) {
  const image = `aquifer/${name}:${values.tag}`;
  console.log(`building ${image} with ${builder}`);
  const [command, ...args] = BUILDERS[builder];
  const base = values.base === undefined ? [] : ['--build-arg', `BASE=${values.base}`];
  const { status } = spawnSync(
    command,
    [...args, ...base, '-t', image, '-f', `Dockerfile.${name}`, '.'],
    { cwd: repositoryRoot, stdio: 'inherit' },
  );
  if (status !== 0) process.exit(status ?? 1);
}
