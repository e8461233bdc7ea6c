import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestAuthority, TestCertificate } from '../fixtures/certificates.ts';
import type { BenchMachine, NamespacePair } from './machine.ts';
import type { Programs } from './programs.ts';

export const HTTP_PORT = 8080;
export const IPERF_PORT = 5201;
export const IDENTITIES = {
  client: 'spiffe://cluster.local/ns/bench/sa/client',
  server: 'spiffe://cluster.local/ns/bench/sa/server',
} as const;

/** What every kind of proxy pair is started with. */
export interface PairEnvironment {
  readonly machine: BenchMachine;
  readonly programs: Programs;
  readonly namespaces: NamespacePair;
  readonly authority: TestAuthority;
}

/** Two proxy processes: the client's, which takes its redirected connections, and the server's. */
export interface ProxyPair {
  readonly clientPid: number;
  readonly serverPid: number;
}

/** Ports on which proxies of any kind accept the other's tunnels. */
const TUNNEL_PORTS = [15_008, 15_009];

/** Redirects the client's connections to the servers to a proxy that listens on 15001. */
export function redirectClient({ machine, namespaces }: PairEnvironment): void {
  machine.applyRules(
    namespaces.client,
    `table ip bench {
      chain output {
        type nat hook output priority -100;
        tcp dport { ${HTTP_PORT}, ${IPERF_PORT} } redirect to :15001
      }
    }`,
  );
}

/** Writes `<name>.json` or any other file into the run's directory and returns its path. */
export function writeConfig(
  machine: BenchMachine,
  name: string,
  content: string | Uint8Array,
): string {
  const path = join(machine.directory, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

/** A certificate as the files that Envoy and HAProxy read. */
export function writeCertificate(
  machine: BenchMachine,
  name: string,
  certificate: TestCertificate,
): { readonly chain: string; readonly key: string; readonly both: string; readonly roots: string } {
  const { key, chain, roots } = certificate;
  return {
    chain: writeConfig(machine, `${name}.pem`, chain),
    key: writeConfig(machine, `${name}.key`, key),
    both: writeConfig(machine, `${name}.both.pem`, `${chain}\n${key}`),
    roots: writeConfig(machine, `${name}.roots.pem`, roots),
  };
}

/** Throws if nothing of the client's has gone to the other proxy: then the measurement would be of something else. */
export function assertTunnelled({ client }: NamespacePair, name: string): void {
  const listing = execFileSync('ip', ['netns', 'exec', client, 'ss', '-Htan'], {
    encoding: 'utf8',
    // A line for each connection that waits in TIME_WAIT.
    maxBuffer: 1 << 26,
  });
  if (!TUNNEL_PORTS.some((port) => listing.includes(`:${port}`))) {
    throw new Error(`${name}: the client's connections did not go through the proxies`);
  }
}
