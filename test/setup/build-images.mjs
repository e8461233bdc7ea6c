/**
 * `npm run images`: builds the three images with docker, podman or buildah, whichever is there; with --push it also sends
 * them to a registry and writes `dist/images/values.yaml`, which names them by digest, and what is in them. Plain
 * JavaScript: it runs on the system's Node.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hasProgram, repositoryRoot } from './prerequisites.mjs';

const HELP = `npm run images -- [options]

  --hub HUB         registry and folder of the images (default: aquifer)
  --tag TAG         their tag (default: dev)
  --base IMAGE      a Debian with apt to build on (default: debian:bookworm-slim)
  --platform NAME   linux/amd64 or linux/arm64 (default: this machine's)
  --push            send them to the registry of the hub

npm run images -- --hub registry.example.com/aquifer --tag v1 --push
aquifer install -f dist/images/values.yaml
`;

const { values } = parseArgs({
  options: {
    hub: { type: 'string', default: 'aquifer' },
    tag: { type: 'string', default: 'dev' },
    base: { type: 'string' },
    platform: { type: 'string' },
    push: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** Image → the value of the installation that names it. */
const IMAGES = {
  ztunnel: 'ztunnel.image',
  waypoint: 'global.proxy.image',
  'control-plane': 'pilot.image',
};

/** Command line of each builder up to the options that they share. */
const BUILDERS = {
  docker: ['docker', 'build'],
  podman: ['podman', 'build'],
  // Without a daemon and without namespaces of its own, so that it also works inside a container.
  // With layers, as the others: the images share the stage that builds them.
  buildah: ['buildah', 'build', '--layers', '--isolation', 'chroot'],
};

const output = join(repositoryRoot, 'dist', 'images');

if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
if (values.push && !values.hub.includes('/')) {
  fail(`--push needs a hub with a registry, such as --hub registry.example.com/aquifer`);
}
const builder = Object.keys(BUILDERS).find(
  (name) => hasProgram(name) && spawnSync(name, ['info'], { stdio: 'ignore' }).status === 0,
);
if (builder === undefined) {
  fail('No image builder works here. Install docker, podman or buildah (apt-get install buildah).');
}
mkdirSync(output, { recursive: true });
const byDigest = {};
for (const [name, value] of Object.entries(IMAGES)) {
  const image = `${values.hub}/${name}:${values.tag}`;
  console.log(`building ${image} with ${builder}`);
  build(name, image);
  writeFileSync(join(output, `${name}.spdx.json`), packagesOf(name));
  if (values.push) byDigest[value] = `${values.hub}/${name}@${push(name, image)}`;
}
if (values.push) {
  writeFileSync(join(output, 'values.yaml'), valuesFile(byDigest));
  console.log('by digest in dist/images/values.yaml: aquifer install -f dist/images/values.yaml');
}
console.log('what is in them: dist/images/*.spdx.json');

function build(name, image) {
  const [command, ...args] = BUILDERS[builder];
  const base = values.base === undefined ? [] : ['--build-arg', `BASE=${values.base}`];
  const platform = values.platform === undefined ? [] : ['--platform', values.platform];
  const options = [...base, ...platform, '-t', image, '-f', `Dockerfile.${name}`, '.'];
  run(command, [...args, ...options]);
}

/** Sends an image to its registry and gives its digest there. */
function push(name, image) {
  if (builder === 'docker') {
    run('docker', ['push', image]);
    const format = '{{index .RepoDigests 0}}';
    const { stdout } = spawnSync('docker', ['inspect', '--format', format, image], {
      encoding: 'utf8',
    });
    return stdout.trim().split('@')[1];
  }
  const digestFile = join(output, `${name}.digest`);
  run(builder, ['push', '--digestfile', digestFile, image]);
  const digest = readFileSync(digestFile, 'utf8').trim();
  rmSync(digestFile);
  return digest;
}

/** SPDX of the npm packages whose code is in the program. */
function packagesOf(name) {
  const args = ['sbom', '--sbom-format', 'spdx', '--omit', 'dev', '-w', `packages/${name}`];
  const { status, stdout, stderr } = spawnSync('npm', args, {
    cwd: repositoryRoot,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (status !== 0) fail(`npm sbom failed: ${stderr}`);
  return stdout;
}

/** Nested maps, as the values of the chart are. */
function valuesFile(byPath) {
  const tree = {};
  for (const [path, image] of Object.entries(byPath)) {
    const steps = path.split('.');
    const holder = steps.slice(0, -1).reduce((at, step) => {
      at[step] ??= {};
      return at[step];
    }, tree);
    holder[steps.at(-1)] = image;
  }
  // JSON is YAML.
  return `${JSON.stringify(tree, null, 2)}\n`;
}

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: repositoryRoot, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

function fail(text) {
  console.error(text);
  process.exit(1);
}
