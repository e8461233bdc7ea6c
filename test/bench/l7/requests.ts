import { memoryKiB } from '@aquifer/compare';
import { writeConfig } from '../l4-pair.ts';
import { type LoadContext, measureHttp2Requests, measureRequests } from '../load.ts';
import { nginxConfig, startOrigin } from '../origin.ts';
import {
  alternate,
  CONNECTIONS,
  HTTP2_CONNECTIONS,
  type L7Bench,
  type L7Environment,
  type Quantities,
} from './bench.ts';
import { allowing, l7Bootstrap, ROUTED, ROUTES } from './bootstrap.ts';
import {
  assertOnlyGet,
  contender,
  HTTP1,
  type Ports,
  type ProxyKind,
  type Surroundings,
  staticProxies,
  urlOf,
} from './proxies.ts';

const HTTP2: Ports = { port: 9002, originPort: 8081 };
const PATH = `${ROUTED}/item`;

const BOTH_VERSIONS = staticProxies(
  l7Bootstrap([
    { name: 'origin', ...HTTP1, policies: allowing('GET') },
    { name: 'origin-http2', ...HTTP2, version: 2, policies: allowing('GET') },
  ]),
);
/** They do not speak HTTP/2 to an origin. */
const HTTP1_ONLY: readonly ProxyKind[] = [
  { name: 'nginx', needs: 'nginx', start: startNginx },
  { name: 'haproxy', needs: 'haproxy', start: startHaproxy },
];
const SURROUNDINGS: Surroundings = {
  startOrigins: ({ machine, programs, namespaces: { server: namespace } }) => {
    const ports = { port: HTTP1.originPort, http2Port: HTTP2.originPort };
    return startOrigin({ machine, programs, namespace, ...ports });
  },
  check: (environment, name) => assertOnlyGet(environment, name, urlOf(HTTP1.port, PATH)),
};

/** Small requests through ten routes and one policy. */
export const REQUESTS: L7Bench = {
  name: 'requests',
  run: (run) => {
    const contenders = [...BOTH_VERSIONS, ...HTTP1_ONLY];
    return alternate(
      run,
      contenders.map((kind) => contender(kind, SURROUNDINGS)),
      (name) => (HTTP1_ONLY.some((kind) => kind.name === name) ? http1 : bothVersions),
    );
  },
};

async function bothVersions(context: LoadContext, seconds: number): Promise<Quantities> {
  return { ...(await http1(context, seconds)), ...(await http2(context, seconds)) };
}

async function http1(context: LoadContext, durationSeconds: number): Promise<Quantities> {
  const load = { url: urlOf(HTTP1.port, PATH), connections: CONNECTIONS, durationSeconds };
  const { amount, seconds, cpu } = await measureRequests(context, load);
  return {
    'request cpu': (cpu[0]! / amount) * 1e6,
    requests: amount / seconds,
    memory: memoryKiB(context.pids) / 1024,
  };
}

async function http2(context: LoadContext, durationSeconds: number): Promise<Quantities> {
  const load = { url: urlOf(HTTP2.port, PATH), connections: HTTP2_CONNECTIONS, durationSeconds };
  const { amount, seconds, cpu } = await measureHttp2Requests(context, load);
  return { 'http2 cpu': (cpu[0]! / amount) * 1e6, 'http2 requests': amount / seconds };
}

function startNginx({ machine, programs, namespaces }: L7Environment): number {
  const locations = ROUTES.map(
    (route) => `    location ${route} { limit_except GET { deny all; } proxy_pass http://origin; }`,
  );
  const config = nginxConfig(
    machine,
    'nginx-l7',
    `access_log /dev/null;
  proxy_http_version 1.1; proxy_set_header Connection "";
  upstream origin { server 127.0.0.1:${HTTP1.originPort}; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen ${HTTP1.port};
${locations.join('\n')}
  }`,
  );
  const command = [programs.paths.get('nginx')!, '-c', config];
  return machine.start(command, { namespace: namespaces.server }).pid!;
}

function startHaproxy({ machine, programs, namespaces }: L7Environment): number {
  const routes = ROUTES.map((route, i) => `  use_backend to${i} if { path_beg ${route} }`);
  const backends = ROUTES.map(
    (_, i) => `backend to${i}\n  http-reuse always\n  server origin 127.0.0.1:${HTTP1.originPort}`,
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
  bind :${HTTP1.port}
  http-request deny deny_status 403 unless METH_GET
${routes.join('\n')}
${backends.join('\n')}
`;
  const path = writeConfig(machine, 'haproxy-l7.cfg', config);
  const command = [programs.paths.get('haproxy')!, '-q', '-db', '-f', path];
  return machine.start(command, { namespace: namespaces.server }).pid!;
}
