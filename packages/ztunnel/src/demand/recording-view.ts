import type { WorkloadView } from '@aquifer/control-plane-client/snapshot';
import type { Service, Workload } from '@aquifer/model';

/** Names by which the control plane is asked for workloads and services (spec ztunnel 5.3). */
export const DEMANDED = {
  /** Whoever has an address, be it a workload or a service. */
  address: (network: string, ip: string) => `${network}/${ip}`,
  /** Of a pod; also how Istio's control plane makes the uid of its workload. */
  pod: (clusterId: string, { namespace, name }: { namespace: string; name: string }) =>
    `${clusterId}//Pod/${namespace}/${name}`,
  service: (namespace: string, hostname: string) => `${namespace}/${hostname}`,
} as const;

/**
 * A view that remembers what a decision looked for. Always: it answers as the view behind it. A service that was found by
 * a range of addresses counts as missing, since another may have the very address.
 */
export class RecordingView implements WorkloadView {
  readonly found: Set<string> = new Set();
  readonly missing: Set<string> = new Set();
  readonly #view: WorkloadView;

  constructor(view: WorkloadView) {
    this.#view = view;
  }

  workload(uid: string): Workload | null {
    const workload = this.#view.workload(uid);
    this.#note(uid, workload !== null);
    return workload;
  }

  workloadByAddress(network: string, ip: string): Workload | null {
    const workload = this.#view.workloadByAddress(network, ip);
    this.#note(DEMANDED.address(network, ip), workload !== null);
    return workload;
  }

  service(key: string): Service | null {
    const service = this.#view.service(key);
    this.#note(key, service !== null);
    return service;
  }

  serviceByVip(network: string, ip: string, clientNamespace: string): Service | null {
    const service = this.#view.serviceByVip(network, ip, clientNamespace);
    this.#note(DEMANDED.address(network, ip), service !== null && hasAddress(service, ip));
    return service;
  }

  /** Which namespace is meant is known to whoever asks, and is to be asked for by the service's key. */
  servicesByHostname(hostname: string): readonly Service[] {
    return this.#view.servicesByHostname(hostname);
  }

  /** They come with their service. */
  endpoints(serviceKey: string): readonly Workload[] {
    return this.#view.endpoints(serviceKey);
  }

  #note(name: string, isFound: boolean): void {
    if (isFound) {
      this.found.add(name);
      this.missing.delete(name);
    } else if (!this.found.has(name)) this.missing.add(name);
  }
}

function hasAddress({ addresses }: Service, ip: string): boolean {
  return addresses.some(({ address, prefixLength }) => prefixLength === null && address === ip);
}
