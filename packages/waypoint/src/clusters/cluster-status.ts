import type { HostAddress } from './host.ts';

/** What one thread, or all together, has under way with an endpoint. */
export interface HostStatus {
  readonly address: HostAddress;
  readonly isHealthy: boolean;
  readonly weight: number;
  /** Requests and connections under way. */
  readonly active: number;
}

export interface ClusterStatus {
  readonly name: string;
  readonly hosts: readonly HostStatus[];
}

/** What the threads say, as one: health and weight are the same for all, what is under way adds up. */
export function addUp(threads: readonly (readonly ClusterStatus[])[]): readonly ClusterStatus[] {
  const [first = [], ...others] = threads;
  return first.map(({ name, hosts }) => ({
    name,
    hosts: hosts.map((host, i) => ({
      ...host,
      active: others.reduce((sum, statuses) => sum + activeIn(statuses, name, i), host.active),
    })),
  }));
}

function activeIn(statuses: readonly ClusterStatus[], name: string, at: number): number {
  return statuses.find((status) => status.name === name)?.hosts[at]?.active ?? 0;
}
