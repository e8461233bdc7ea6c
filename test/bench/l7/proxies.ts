import { bundlePath } from '../../fixtures/bundles.ts';
import { envoyCommand } from '../l4-envoy.ts';
import { writeConfig } from '../l4-pair.ts';
import { SERVER_ADDRESS } from '../machine.ts';
import { startOrigin } from '../origin.ts';
import type { Program } from '../programs.ts';
import type { Contender, L7Environment } from './bench.ts';

/** Of a proxy's listener, and of its origin on 127.0.0.1. */
export interface Ports {
  readonly port: number;
  readonly originPort: number;
}

export const HTTP1: Ports = { port: 9001, originPort: 8080 };

/** A kind of proxy. */
export interface ProxyKind {
  readonly name: string;
  /** Null for what is always there. */
  readonly needs: Program | null;
  /** Starts it in the server's namespace; returns its process id. */
  start(environment: L7Environment): number | Promise<number>;
}

/** What a proxy stands between. */
export interface Surroundings {
  startOrigins(environment: L7Environment): Promise<void>;
  /** Waits until the proxy answers; throws if it does not do its work. */
  check(environment: L7Environment, name: string): Promise<void>;
}

export function contender(
  { name, needs, start }: ProxyKind,
  { startOrigins, check }: Surroundings,
): Contender {
  return {
    name,
    needs,
    start: async (environment) => {
      await startOrigins(environment);
      const pid = await start(environment);
      await check(environment, name);
      return pid;
    },
  };
}

/** Our waypoint and Envoy, which read the same file. */
export function staticProxies(bootstrap: object): readonly ProxyKind[] {
  const content = JSON.stringify(bootstrap);
  return [
    {
      name: 'waypoint',
      needs: null,
      start: (environment) => {
        const path = writeConfig(environment.machine, 'waypoint.json', content);
        return startWaypoint(environment, { WAYPOINT_BOOTSTRAP: path });
      },
    },
    {
      name: 'envoy',
      needs: 'envoy',
      start: (environment) =>
        startEnvoy(environment, writeConfig(environment.machine, 'envoy.json', content)),
    },
  ];
}

export function startWaypoint(
  { machine, namespaces }: L7Environment,
  variables: Readonly<Record<string, string>>,
): number {
  // As Dockerfile.waypoint has it.
  const image = { NODE_OPTIONS: '--max-semi-space-size=4', MALLOC_ARENA_MAX: '1' };
  const env = { ...image, CONCURRENCY: '1', ...variables };
  const command = [process.execPath, bundlePath('waypoint')];
  return machine.start(command, { namespace: namespaces.server, env }).pid!;
}

export function startEnvoy(
  { machine, programs, namespaces }: L7Environment,
  configPath: string,
): number {
  const command = envoyCommand(programs.paths.get('envoy')!, configPath);
  return machine.start(command, { namespace: namespaces.server }).pid!;
}

/** Seen from the client's namespace. */
export function urlOf(port: number, path: string): string {
  return `http://${SERVER_ADDRESS}:${port}${path}`;
}

/** An nginx behind the proxy, which lets nothing but GET through to it. */
export function onlyGet({ port, originPort }: Ports, path: string): Surroundings {
  return {
    startOrigins: ({ machine, programs, namespaces: { server: namespace } }) =>
      startOrigin({ machine, programs, namespace, port: originPort }),
    check: (environment, name) => assertOnlyGet(environment, name, urlOf(port, path)),
  };
}

/** Waits until a GET is answered; throws if a DELETE is not refused. */
export async function assertOnlyGet(
  { machine, namespaces }: L7Environment,
  name: string,
  url: string,
): Promise<void> {
  await machine.untilAnswered(namespaces.client, url);
  const command = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '-X', 'DELETE', url];
  const status = await machine.run(command, namespaces.client);
  if (status !== '403') throw new Error(`${name}: DELETE was answered ${status} instead of 403`);
}
