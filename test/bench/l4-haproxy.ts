import {
  HTTP_PORT,
  IDENTITIES,
  IPERF_PORT,
  type PairEnvironment,
  type ProxyPair,
  redirectClient,
  writeCertificate,
  writeConfig,
} from './l4-pair.ts';
import { SERVER_ADDRESS } from './machine.ts';

const COMMON = `global
  nbthread 1
  maxconn 4000
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
  log stdout format raw local0
defaults
  mode tcp
  option tcplog
  log global
  timeout connect 5s
  timeout client 10m
  timeout server 10m
`;

/** HAProxy with TCP over mutual TLS: one TLS connection for each of the client's, a port for each of the server's. */
export function startHaproxyPair(environment: PairEnvironment): ProxyPair {
  const { machine, namespaces, programs } = environment;
  redirectClient(environment);
  const start = (side: 'client' | 'server', config: string): number => {
    const path = writeConfig(machine, `haproxy-${side}.cfg`, `${COMMON}${config}`);
    const command = [programs.paths.get('haproxy')!, '-q', '-db', '-f', path];
    return machine.start(command, { namespace: namespaces[side] }).pid!;
  };
  return {
    clientPid: start('client', clientConfig(environment)),
    serverPid: start('server', serverConfig(environment)),
  };
}

function clientConfig({ machine, authority }: PairEnvironment): string {
  const own = writeCertificate(machine, 'haproxy-client', authority.issue(IDENTITIES.client));
  const tls = `ssl verify required ca-file ${own.roots} crt ${own.both}`;
  return `frontend captured
  bind :15001
  use_backend iperf if { dst_port ${IPERF_PORT} }
  default_backend http
backend http
  server peer ${SERVER_ADDRESS}:15008 ${tls}
backend iperf
  server peer ${SERVER_ADDRESS}:15009 ${tls}
`;
}

function serverConfig({ machine, authority }: PairEnvironment): string {
  const own = writeCertificate(machine, 'haproxy-server', authority.issue(IDENTITIES.server));
  const tls = `ssl verify required ca-file ${own.roots} crt ${own.both}`;
  return `listen http
  bind :15008 ${tls}
  server application 127.0.0.1:${HTTP_PORT}
listen iperf
  bind :15009 ${tls}
  server application 127.0.0.1:${IPERF_PORT}
`;
}
