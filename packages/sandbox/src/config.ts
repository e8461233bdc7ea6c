import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  booleanKey,
  type ConfigKeys,
  type EnvSource,
  integerKey,
  optionalStringKey,
  type ParsedConfig,
  parsedKey,
  parseEnv,
  portKey,
  stringKey,
} from '@aquifer/runtime';
import { MAX_NODES } from './nodes/addresses.ts';
import { type OwnImage, parseOwnImages } from './nodes/own-images.ts';

/** What a sandbox is told at its start. */
export interface SandboxConfig {
  readonly dataDirectory: string;
  readonly stateHome: string | null;
  readonly apiPort: number;
  readonly nodes: number;
  readonly keepData: boolean;
  readonly egress: boolean;
  readonly ownImages: readonly OwnImage[];
  readonly path: string;
  readonly logLevel: string;
}

/** The data directory has a default that depends on other variables. */
interface SandboxEnvironment extends Omit<SandboxConfig, 'dataDirectory'> {
  readonly dataDirectory: string | null;
}

/** Every variable that the sandbox reads. */
export const configSchema: ConfigKeys<SandboxEnvironment> = {
  dataDirectory: optionalStringKey(
    'SANDBOX_DATA_DIR',
    'Directory of the kubeconfig, the state file, the database, the volumes and the pods; default $XDG_STATE_HOME/aquifer, or ~/.local/state/aquifer.',
  ),
  stateHome: optionalStringKey('XDG_STATE_HOME', 'Parent of the default data directory.'),
  apiPort: portKey(
    'SANDBOX_API_PORT',
    'TCP port of the Kubernetes API on 127.0.0.1 and on the fabric; 0 picks a free one.',
    6443,
  ),
  nodes: integerKey('SANDBOX_NODES', 'Number of nodes.', { default: 2, min: 1, max: MAX_NODES }),
  keepData: booleanKey(
    'SANDBOX_KEEP_DATA',
    'Leaves the database and the volumes in the data directory on stop, so that the next start continues with the same objects.',
    { default: false },
  ),
  egress: booleanKey(
    'SANDBOX_EGRESS',
    "Lets pods reach what the machine reaches, under its address: with forwarding and a table of nftables on the machine, until the stop; other names go to the machine's DNS.",
    { default: false },
  ),
  ownImages: parsedKey<readonly OwnImage[]>(
    'SANDBOX_IMAGES',
    'Images that stand for programs of this machine: a line of NAME=PROGRAM ARGUMENT… for each.',
    { type: 'lines', parse: parseOwnImages, default: [], show: () => '' },
  ),
  path: stringKey('PATH', 'Where programs of images are searched.', {
    default: '/usr/sbin:/usr/bin:/sbin:/bin',
  }),
  logLevel: stringKey('SANDBOX_LOG_LEVEL', 'Levels of the log on stderr, as RUST_LOG.', {
    default: 'info',
  }),
};

/** All mistakes are reported together. */
export function parseConfig(env: EnvSource): ParsedConfig<SandboxConfig> {
  const parsed = parseEnv(configSchema, env);
  if (!parsed.ok) return parsed;
  const { dataDirectory, stateHome } = parsed.value;
  const fallback = join(stateHome ?? join(homedir(), '.local/state'), 'aquifer');
  return { ok: true, value: { ...parsed.value, dataDirectory: dataDirectory ?? fallback } };
}
