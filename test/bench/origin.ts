import { writeConfig } from './l4-pair.ts';
import type { BenchMachine } from './machine.ts';
import type { Programs } from './programs.ts';

/** Starts an nginx with one worker that answers every request with two bytes, and waits until it does. */
export async function startOrigin(options: {
  readonly machine: BenchMachine;
  readonly programs: Programs;
  readonly namespace: string;
  readonly port: number;
}): Promise<void> {
  const { machine, programs, namespace, port } = options;
  const config = nginxConfig(
    machine,
    `origin-${namespace}`,
    `access_log off;
  server { listen ${port} backlog=4096; location / { return 200 "ok"; } }`,
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
