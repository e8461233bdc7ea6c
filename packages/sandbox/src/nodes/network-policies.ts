/** Keeps each node's nftables in step with NetworkPolicies, pods and namespaces. */
import { isIPv4 } from 'node:net';
import type { ApiObject, ClusterClient, ResourceKey, WatchEvent } from '@aquifer/kube-api';
import { HOST_ADDRESS } from './addresses.ts';
import { applyRules } from './network.ts';
import { type AddressedPod, policyTable } from './policy-rules.ts';

const POLICIES: ResourceKey = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'networkpolicies',
};
const PODS: ResourceKey = { group: '', version: 'v1', plural: 'pods' };
const NAMESPACES: ResourceKey = { group: '', version: 'v1', plural: 'namespaces' };
/** Changes come in bursts; one transaction serves them all. */
const SETTLE_MS = 30;

export interface NetworkPoliciesDeps {
  readonly client: ClusterClient;
  /** Their namespaces, by the names of the nodes. */
  readonly nodes: ReadonlyMap<string, string>;
  /** Where the cluster's DNS listens; to policies it is port 53 of a pod in kube-system. */
  readonly dnsPort: number;
  readonly onError: (error: Error) => void;
}

export class NetworkPolicies {
  readonly #deps: NetworkPoliciesDeps;
  readonly #policies = new Map<string, ApiObject>();
  readonly #pods = new Map<string, ApiObject>();
  readonly #namespaces = new Map<string, ApiObject>();
  /** The tables as they are, by node; none is there at first. */
  readonly #applied = new Map<string, string>();
  readonly #watches: readonly Disposable[];
  #timer: NodeJS.Timeout | null = null;
  #applying: Promise<void> = Promise.resolve();

  constructor(deps: NetworkPoliciesDeps) {
    this.#deps = deps;
    this.#watches = [
      deps.client.watch(NAMESPACES, (event) => this.#store(this.#namespaces, event)),
      deps.client.watch(PODS, (event) => this.#store(this.#pods, event)),
      deps.client.watch(POLICIES, (event) => this.#store(this.#policies, event)),
    ];
  }

  async stop(): Promise<void> {
    for (const watch of this.#watches) watch[Symbol.dispose]();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#applying;
  }

  #store(into: Map<string, ApiObject>, event: WatchEvent): void {
    if (event.type === 'synced') return;
    const { namespace, name } = event.object.metadata;
    const key = `${namespace ?? ''}/${name}`;
    if (event.type === 'deleted') into.delete(key);
    else into.set(key, event.object);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#applying = this.#applying.then(() => this.#apply());
    }, SETTLE_MS);
  }

  async #apply(): Promise<void> {
    if (this.#policies.size === 0 && this.#applied.size === 0) return;
    const state = {
      policies: [...this.#policies.values()],
      pods: [...[...this.#pods.values()].flatMap(addressedPod), this.#dns()],
      namespaces: new Map(
        [...this.#namespaces.values()].map(({ metadata }) => [
          metadata.name,
          metadata.labels ?? {},
        ]),
      ),
    };
    for (const [node, namespace] of this.#deps.nodes) {
      const table = policyTable(state, node);
      if (table === this.#applied.get(node)) continue;
      try {
        await applyRules(namespace, table);
        this.#applied.set(node, table);
      } catch (error) {
        this.#deps.onError(error as Error);
      }
    }
  }

  #dns(): AddressedPod {
    return {
      namespace: 'kube-system',
      labels: { 'k8s-app': 'kube-dns' },
      node: '',
      address: HOST_ADDRESS,
      ports: {},
      translated: { 53: this.#deps.dnsPort },
    };
  }
}

/** Pods with the address of their node are not what policies are about. */
function addressedPod({ metadata, spec, status }: ApiObject): readonly AddressedPod[] {
  const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  if (spec.hostNetwork === true || isOver || !isIPv4(status?.podIP ?? '')) return [];
  const containers: readonly { ports?: readonly { name?: string; containerPort: number }[] }[] =
    spec.containers;
  const named = containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ name, containerPort }) => (name === undefined ? [] : [[name, containerPort]])),
  );
  return [
    {
      namespace: metadata.namespace ?? '',
      labels: metadata.labels ?? {},
      node: spec.nodeName,
      address: status.podIP,
      ports: Object.fromEntries(named),
    },
  ];
}
