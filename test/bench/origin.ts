import { writeConfig } from './l4-pair.ts';
import type { BenchMachine } from './machine.ts';
import type { Programs } from './programs.ts';

/** Starts an nginx with one worker that answers every request with two bytes, also over HTTP/2 at another port. */
export async function startOrigin(options: {
  readonly machine: BenchMachine;
  readonly programs: Programs;
  readonly namespace: string;
  readonly port: number;
  readonly http2Port?: number;
}): Promise<void> {
  const { machine, programs, namespace, port, http2Port } = options;
  const http2 = http2Port === undefined ? '' : `listen ${http2Port} http2 backlog=4096;`;
  const config = nginxConfig(
    machine,
    `origin-${namespace}`,
    `access_log off;
  server { listen ${port} backlog=4096; ${http2} location / { return 200 "ok"; } }`,
  );
  machine.start([programs.paths.get('nginx')!, '-c', config], { namespace });
  await machine.untilAnswered(namespace, `http://127.0.0.1:${port}/`);
}

/** Writes the configuration of an nginx with one process around what stands in `http`; returns its path. */
export function nginxConfig(machine: BenchMachine, name: string, http: string): string {
  return writeConfig(
    machine,
    `${name}.conf`,
    `daemon off; master_process off; pid ${machine.directory}/${name}.pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  keepalive_timeout 600s; keepalive_requests 1000000000;
  ${http}
}`,
  );
}
