/** Keeps each node's nftables in step with Services and EndpointSlices. */

import { isIPv4 } from 'node:net';
import type { ClusterClient, ResourceKey, WatchEvent } from '@aquifer/kube-api';
import { isSliceOf } from '@aquifer/model/kubernetes';
import type { EndpointSlice, Service } from '@aquifer/model/resources';
import { applyRules } from './network.ts';
import type { ServiceEndpoint, ServicePortRule, TableContent } from './service-rules.ts';
import { tableChange, tableContent } from './service-rules.ts';

const SERVICES: ResourceKey = { group: '', version: 'v1', plural: 'services' };
const SLICES: ResourceKey = { group: 'discovery.k8s.io', version: 'v1', plural: 'endpointslices' };
/** Changes of a rollout come in bursts; one transaction serves them all. */
const SETTLE_MS = 30;

export interface ProxiedNode {
  readonly namespace: string;
  readonly podAddresses: () => readonly string[];
}

export class ServiceProxy {
  readonly #nodes: readonly ProxiedNode[];
  readonly #onError: (error: Error) => void;
  readonly #services = new Map<string, Service>();
  readonly #slices = new Map<string, EndpointSlice>();
  /** By node namespace; absent where the table's content is not known. */
  readonly #applied = new Map<string, TableContent>();
  readonly #watches: readonly Disposable[];
  #timer: NodeJS.Timeout | null = null;
  #applying: Promise<void> = Promise.resolve();

  constructor(
    client: ClusterClient,
    nodes: readonly ProxiedNode[],
    onError: (error: Error) => void,
  ) {
    this.#nodes = nodes;
    this.#onError = onError;
    this.#watches = [
      client.watch(SERVICES, (event) => this.#store(this.#services, event)),
      client.watch(SLICES, (event) => this.#store(this.#slices, event)),
    ];
  }

  /** Something that the rules depend on has changed: they follow within `SETTLE_MS`. */
  changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#applying = this.#applying.then(() => this.#apply());
    }, SETTLE_MS);
  }

  async stop(): Promise<void> {
    for (const watch of this.#watches) watch[Symbol.dispose]();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#applying;
  }

  #store<T>(into: Map<string, T>, event: WatchEvent): void {
    if (event.type !== 'synced') {
      const { namespace, name } = event.object.metadata;
      const key = `${namespace}/${name}`;
      if (event.type === 'deleted') into.delete(key);
      else into.set(key, event.object as unknown as T);
    }
    this.changed();
  }

  async #apply(): Promise<void> {
    const services = servicePortRules([...this.#services.values()], [...this.#slices.values()]);
    for (const { namespace, podAddresses } of this.#nodes) {
      const content = tableContent({ services, podAddresses: podAddresses() });
      const change = tableChange(this.#applied.get(namespace) ?? null, content);
      if (change === '') continue;
      try {
        await applyRules(namespace, change);
        this.#applied.set(namespace, content);
      } catch (error) {
        this.#applied.delete(namespace);
        this.#onError(error as Error);
      }
    }
  }
}

/**
 * One rule per port of every Service with an address; endpoints are the ready ones of its slices. What is no address gets
 * none: a rule that is wrong would keep all others from the table. Pure.
 */
export function servicePortRules(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
): readonly ServicePortRule[] {
  return services.flatMap((service) => {
    const { clusterIP, ports = [] } = service.spec ?? {};
    if (clusterIP === undefined || !isIPv4(clusterIP)) return [];
    const own = slices.filter((slice) => slice.addressType === 'IPv4' && isSliceOf(slice, service));
    const balancerIps = loadBalancerIps(service);
    const isSticky = service.spec?.sessionAffinity === 'ClientIP';
    return ports.flatMap(({ name = '', port, nodePort, protocol = 'TCP' }) => {
      const known = protocol.toLowerCase();
      if (known !== 'tcp' && known !== 'udp') return [];
      const endpoints = own.flatMap((slice) => readyEndpoints(slice, name));
      return [
        {
          clusterIp: clusterIP,
          balancerIps,
          protocol: known,
          port,
          nodePort: nodePort ?? null,
          endpoints,
          isSticky,
        },
      ];
    });
  });
}

function loadBalancerIps({ status }: Service): readonly string[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }) => (isIPv4(ip) ? [ip] : []));
}

function readyEndpoints(slice: EndpointSlice, portName: string): ServiceEndpoint[] {
  const port = slice.ports?.find(({ name }) => (name ?? '') === portName)?.port;
  if (!port || port > 65_535) return [];
  return (slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses }) => addresses.slice(0, 1))
    .filter(isIPv4)
    .map((address) => ({ address, port }));
}
