/** What sidecars are told depends on their views, not on who asks: sidecars that are alike share theirs. */

import type { Locality, ServicePort } from '@aquifer/model';
import { hasLabels } from '@aquifer/model/kubernetes';
import type { Pod, Sidecar } from '@aquifer/model/resources';
import { keyOf } from '../../../ingest/cluster-inputs.ts';
import type { MeshService } from '../../mesh-service.ts';
import { byAge, labelsOf } from '../../object.ts';
import type { ProxyNode } from '../proxy-node.ts';

interface View {
  /** All of it as text. */
  readonly key: string;
  /** What the proxy reads. */
  readonly client: 'sidecar' | 'grpc';
  readonly namespace: string;
  /** `namespace/name` of the Sidecar that holds; null for none. */
  readonly sidecar: string | null;
  /** Any address, in the family that the proxy has. */
  readonly wildcard: '0.0.0.0' | '::';
  /** Empty if the proxy does not say. */
  readonly meshId: string;
}

/** The mesh as a client sees it. */
export interface OutboundView extends View {
  /** Those of the proxy itself, where it is behind a headless service: it needs no listener for them. */
  readonly ownAddresses: readonly string[];
  /** Null where no rule looks at it. */
  readonly locality: Locality | null;
  /** Those of its labels that rules choose clients by, and that traces tell of it. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A service that the proxy is in front of, and where its workload serves it. */
export interface OwnService {
  /** `namespace/hostname`. */
  readonly key: string;
  readonly ports: readonly ServicePort[];
}

/** The workload itself. */
export interface InboundView extends View {
  readonly labels: Readonly<Record<string, string>>;
  readonly services: readonly OwnService[];
  /** Its own, where a Sidecar says what is listened on, or tunnels lead to it; none where they do not matter. */
  readonly addresses: readonly string[];
  readonly inboundTunnels: ProxyNode['inboundTunnels'];
}

export interface SidecarViews {
  readonly outbound: OutboundView;
  readonly inbound: InboundView;
}

/** What is known of the pod of a proxy. */
export interface ProxyPod {
  readonly pod: Pod | undefined;
  /** As its node says. */
  readonly locality: Locality | null;
  readonly services: ReadonlyMap<string, readonly ServicePort[]>;
  /** Sidecars of its namespace, and of the root namespace. */
  readonly sidecars: readonly Sidecar[];
  readonly rootSidecars: readonly Sidecar[];
  /** Whether any rule looks at where clients are. */
  readonly localities: 'asked' | 'ignored';
  /** Names of labels that rules choose clients by, and that traces tell of them. */
  readonly choosingLabels: readonly string[];
  /** By `namespace/hostname`. */
  service(key: string): MeshService | undefined;
}

export function viewsOf(
  node: ProxyNode,
  client: OutboundView['client'],
  of: ProxyPod,
): SidecarViews {
  // As Istio does: what the proxy says of itself wins, since people may say it for it.
  const labels = { ...labelsOf(of.pod), ...node.labels };
  const sidecar = sidecarFor(labels, of);
  const common = {
    client,
    namespace: node.namespace,
    sidecar: sidecar === undefined ? null : keyOf(sidecar),
    wildcard: node.addresses[0]?.includes(':') ? '::' : '0.0.0.0',
    meshId: node.meshId,
  } as const;
  const services = Array.from(of.services, ([key, ports]) => ({ key, ports })).toSorted((a, b) =>
    a.key < b.key ? -1 : 1,
  );
  const isHeadless = services.some(({ key }) => of.service(key)?.resolution === 'headless');
  const hasIngress = (sidecar?.spec?.ingress ?? []).length > 0;
  return {
    outbound: keyed({
      ...common,
      ownAddresses: isHeadless ? node.addresses : [],
      locality: of.localities === 'asked' ? (node.locality ?? of.locality) : null,
      labels: chosen(labels, of.choosingLabels),
    }),
    inbound: keyed({
      ...common,
      labels,
      services,
      addresses: hasIngress || node.inboundTunnels === 'hbone' ? node.addresses : [],
      inboundTunnels: node.inboundTunnels,
    }),
  };
}

/** The Sidecar that selects the workload, else that of its namespace, else that of the mesh; the oldest of several. */
function sidecarFor(
  labels: Readonly<Record<string, string>>,
  { sidecars, rootSidecars }: Pick<ProxyPod, 'sidecars' | 'rootSidecars'>,
): Sidecar | undefined {
  const own = sidecars.toSorted(byAge);
  const selecting = own.find(({ spec }) => {
    const selector = spec?.workloadSelector;
    return selector !== undefined && hasLabels(selector.labels ?? {}, labels);
  });
  return selecting ?? own.find(isDefault) ?? rootSidecars.toSorted(byAge).find(isDefault);
}

function isDefault({ spec }: Sidecar): boolean {
  return spec?.workloadSelector === undefined;
}

function chosen(
  labels: Readonly<Record<string, string>>,
  names: readonly string[],
): Readonly<Record<string, string>> {
  const entries = names.flatMap((name) => {
    const value = labels[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(entries);
}

function keyed<T>(view: T): T & { readonly key: string } {
  return { ...view, key: JSON.stringify(view) };
}
