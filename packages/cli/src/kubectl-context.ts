/** The sandbox among kubectl's contexts: put there and switched to when it comes up, taken out when it goes. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { SandboxPaths } from './sandbox-process.ts';

export const SANDBOX_CONTEXT = 'aquifer-sandbox';

/** In the sandbox's data directory: the kubeconfig that has its context. */
const NOTE = 'kubectl-context.json';

interface NamedEntry {
  readonly name: string;
}

interface Kubeconfig {
  apiVersion?: string;
  kind?: string;
  clusters?: NamedEntry[] | null;
  users?: NamedEntry[] | null;
  contexts?: NamedEntry[] | null;
  'current-context'?: string;
}

const LISTS = ['clusters', 'users', 'contexts'] as const;

/**
 * Makes the sandbox kubectl's current context, in the named file, the first of KUBECONFIG, or ~/.kube/config. Returns the
 * file; null when that is the sandbox's own, which has nothing else.
 */
export function switchToSandbox(
  paths: SandboxPaths,
  env: Readonly<Record<string, string | undefined>>,
  named: string | undefined,
): string | null {
  const file =
    named ?? env.KUBECONFIG?.split(':')[0] ?? join(env.HOME || homedir(), '.kube', 'config');
  if (file === paths.kubeconfig) return null;
  const config: Kubeconfig = readKubeconfig(file) ?? { apiVersion: 'v1', kind: 'Config' };
  const own = readKubeconfig(paths.kubeconfig) ?? {};
  removeFrom(config);
  for (const list of LISTS) {
    const entry = { ...own[list]?.[0], name: SANDBOX_CONTEXT };
    config[list] = [...(config[list] ?? []), list === 'contexts' ? renamed(entry) : entry];
  }
  config['current-context'] = SANDBOX_CONTEXT;
  writeKubeconfig(file, config);
  writeFileSync(join(paths.dataDirectory, NOTE), JSON.stringify({ file }));
  return file;
}

/** Takes the context out again. No other becomes the current one: nothing is to reach another cluster by accident. */
export function leaveSandbox(paths: SandboxPaths): void {
  const note = join(paths.dataDirectory, NOTE);
  if (!existsSync(note)) return;
  const { file } = JSON.parse(readFileSync(note, 'utf8')) as { file: string };
  const config = readKubeconfig(file);
  if (config !== null) {
    removeFrom(config);
    const isEmpty = LISTS.every((list) => !config[list]?.length);
    if (isEmpty) rmSync(file);
    else writeKubeconfig(file, config);
  }
  rmSync(note);
}

function renamed(context: NamedEntry): NamedEntry {
  const target = { cluster: SANDBOX_CONTEXT, user: SANDBOX_CONTEXT, namespace: 'default' };
  return { ...context, context: target } as NamedEntry;
}

function removeFrom(config: Kubeconfig): void {
  for (const list of LISTS) {
    config[list] = (config[list] ?? []).filter(({ name }) => name !== SANDBOX_CONTEXT);
  }
  if (config['current-context'] === SANDBOX_CONTEXT) config['current-context'] = '';
}

function readKubeconfig(file: string): Kubeconfig | null {
  return existsSync(file) ? (parse(readFileSync(file, 'utf8')) as Kubeconfig | null) : null;
}

/** Whoever reads meanwhile has the old one or the new one. It holds keys: it is its owner's alone. */
function writeKubeconfig(file: string, config: Kubeconfig): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const actual = existsSync(file) ? realpathSync(file) : file;
  writeFileSync(`${actual}.new`, stringify(config), { mode: 0o600 });
  renameSync(`${actual}.new`, actual);
}
