import { memoryKiB } from '@aquifer/compare';
import { bundlePath } from '../fixtures/bundles.ts';
import { envoyCommand } from './l4-envoy.ts';
import { writeConfig } from './l4-pair.ts';
import { type L7Ports, l7Bootstrap, ROUTES } from './l7-bootstrap.ts';
import {
  type LoadContext,
  measureHttp2Requests,
  measureRequests,
  WARM_UP_SECONDS,
} from './load.ts';
import { type BenchMachine, SERVER_ADDRESS } from './machine.ts';
import { nginxConfig, startOrigin } from './origin.ts';
import type { Program, Programs } from './programs.ts';
import { Samples } from './samples.ts';

const CONNECTIONS = 32;
const ORIGIN_PORT = 8080;
const HTTP2_ORIGIN_PORT = 8081;
/** Streams at a time are as many as connections over HTTP/1.1. */
const HTTP2_CONNECTIONS = 8;
/** Served by the last route but one, and allowed by the policy. */
const PATH = `${ROUTES.at(-2)}/item`;

interface L7Environment {
  readonly machine: BenchMachine;
  readonly programs: Programs;
  readonly namespace: string;
  readonly ports: L7Ports;
  readonly http2: L7Ports;
}

interface Contender {
  readonly name: string;
  readonly needs: Program | null;
  readonly listenPort: number;
  /** Null for what has no HTTP/2 to its origin. */
  readonly http2Port: number | null;
  /** Returns the proxy's process id. */
  start(environment: L7Environment): number;
}

const CONTENDERS: readonly Contender[] = [
  { name: 'waypoint', needs: null, listenPort: 9001, http2Port: 9011, start: startWaypoint },
  { name: 'envoy', needs: 'envoy', listenPort: 9002, http2Port: 9012, start: startEnvoy },
  { name: 'nginx', needs: 'nginx', listenPort: 9003, http2Port: null, start: startNginx },
  { name: 'haproxy', needs: 'haproxy', listenPort: 9004, http2Port: null, start: startHaproxy },
];

export interface L7Options {
  readonly machine: BenchMachine;
  readonly programs: Programs;
  readonly rounds: number;
  /** Of the load in each round. */
  readonly durationSeconds: number;
  readonly onProgress: (text: string) => void;
}

/** One proxy of each kind before one origin, all in a namespace; the load comes from another and alternates. */
export async function benchL7(options: L7Options): Promise<Samples> {
  const { machine, programs, durationSeconds, onProgress } = options;
  const samples = new Samples();
  const namespaces = machine.addPair('l7');
  const namespace = namespaces.server;
  const origin = { port: ORIGIN_PORT, http2Port: HTTP2_ORIGIN_PORT };
  await startOrigin({ machine, programs, namespace, ...origin });
  const running: {
    name: string;
    measure: () => ReturnType<typeof measureRequests>;
    measureHttp2: (() => ReturnType<typeof measureRequests>) | null;
    pid: number;
  }[] = [];
  for (const { name, needs, listenPort, http2Port, start } of CONTENDERS) {
    if (needs !== null && !programs.paths.has(needs)) continue;
    onProgress(`${name}: start and warm up`);
    const ports = { listen: listenPort, origin: ORIGIN_PORT };
    const http2 = { listen: http2Port ?? 0, origin: HTTP2_ORIGIN_PORT };
    const pid = start({ machine, programs, namespace, ports, http2 });
    const url = `http://${SERVER_ADDRESS}:${listenPort}${PATH}`;
    await machine.untilAnswered(namespaces.client, url);
    await assertPolicy(machine, namespaces.client, { name, url });
    const context: LoadContext = { machine, programs, namespace: namespaces.client, pids: [pid] };
    const load = { url, connections: CONNECTIONS, durationSeconds };
    const measure = () => measureRequests(context, load);
    await measureRequests(context, { ...load, durationSeconds: WARM_UP_SECONDS });
    const http2Load = {
      url: `http://${SERVER_ADDRESS}:${http2Port}${PATH}`,
      connections: HTTP2_CONNECTIONS,
    };
    const measureHttp2 =
      http2Port === null
        ? null
        : () => measureHttp2Requests(context, { ...http2Load, durationSeconds });
    if (http2Port !== null) {
      await measureHttp2Requests(context, { ...http2Load, durationSeconds: WARM_UP_SECONDS });
    }
    running.push({ name, measure, measureHttp2, pid });
  }
  for (let round = 1; round <= options.rounds; round++) {
    onProgress(`round ${round} of ${options.rounds}`);
    for (const { name, measure, measureHttp2, pid } of running) {
      const { amount, seconds, cpu } = await measure();
      samples.add(`${name} request cpu`, (cpu[0]! / amount) * 1e6);
      samples.add(`${name} requests`, amount / seconds);
      samples.add(`${name} memory`, memoryKiB([pid]) / 1024);
      if (measureHttp2 === null) continue;
      const http2 = await measureHttp2();
      samples.add(`${name} http2 cpu`, (http2.cpu[0]! / http2.amount) * 1e6);
      samples.add(`${name} http2 requests`, http2.amount / http2.seconds);
    }
  }
  return samples;
}

/** All enforce the same policy, or they would not do the same work: only GET is allowed. */
async function assertPolicy(
  machine: BenchMachine,
  namespace: string,
  { name, url }: { readonly name: string; readonly url: string },
): Promise<void> {
  const command = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '-X', 'DELETE', url];
  const status = await machine.run(command, namespace);
  if (status !== '403') throw new Error(`${name}: DELETE was answered ${status} instead of 403`);
}

function startWaypoint({ machine, namespace, ports, http2 }: L7Environment): number {
  const path = writeConfig(machine, 'waypoint.json', JSON.stringify(l7Bootstrap(ports, http2)));
  // As Dockerfile.waypoint has it.
  const image = { NODE_OPTIONS: '--max-semi-space-size=1', MALLOC_ARENA_MAX: '1' };
  const env = { ...image, WAYPOINT_BOOTSTRAP: path, CONCURRENCY: '1' };
  return machine.start([process.execPath, bundlePath('waypoint')], { namespace, env }).pid!;
}

function startEnvoy({ machine, programs, namespace, ports, http2 }: L7Environment): number {
  const path = writeConfig(machine, 'envoy-l7.json', JSON.stringify(l7Bootstrap(ports, http2)));
  return machine.start(envoyCommand(programs.paths.get('envoy')!, path), { namespace }).pid!;
}

function startNginx({ machine, programs, namespace, ports }: L7Environment): number {
  const locations = ROUTES.map(
    (route) => `    location ${route} { limit_except GET { deny all; } proxy_pass http://origin; }`,
  );
  const config = nginxConfig(
    machine,
    'nginx-l7',
    `access_log /dev/null;
  proxy_http_version 1.1; proxy_set_header Connection "";
  upstream origin { server 127.0.0.1:${ports.origin}; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen ${ports.listen};
${locations.join('\n')}
  }`,
  );
  return machine.start([programs.paths.get('nginx')!, '-c', config], { namespace }).pid!;
}

function startHaproxy({ machine, programs, namespace, ports }: L7Environment): number {
  const routes = ROUTES.map((route, i) => `  use_backend to${i} if { path_beg ${route} }`);
  const backends = ROUTES.map(
    (_, i) => `backend to${i}\n  http-reuse always\n  server origin 127.0.0.1:${ports.origin}`,
  );
  const config = `global
  nbthread 1
  maxconn 4000
  log stdout format raw local0
defaults
  mode http
  option httplog
  log global
  timeout connect 5s
  timeout client 10m
  timeout server 10m
frontend inbound
  bind :${ports.listen}
  http-request deny deny_status 403 unless METH_GET
${routes.join('\n')}
${backends.join('\n')}
`;
  const path = writeConfig(machine, 'haproxy-l7.cfg', config);
  return machine.start([programs.paths.get('haproxy')!, '-q', '-db', '-f', path], { namespace })
    .pid!;
}
