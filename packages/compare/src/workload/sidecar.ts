/** Proxies beside pods: real Envoys, or our own engine in the same place. */
import type { ServicePort } from './workload.ts';

/** Which program it is. Both are told the same, in the form that each takes. */
export type SidecarEngine = 'envoy' | 'aquifer';

export interface SidecarOptions {
  readonly engine: SidecarEngine;
  readonly trustDomain: string;
  readonly namespace: string;
  readonly ports: readonly ServicePort[];
  /** Service accounts of the pods. */
  readonly accounts: readonly string[];
  /** Name of the Service that resolves to the pods of another. */
  readonly headlessName: (service: string) => string;
  /** What callers may do. */
  readonly methods: readonly string[];
}

/** Name of the container that is a proxy, in every pod that has one. */
export const PROXY_CONTAINER = 'istio-proxy';
/** The user that proxies run as; what they send themselves is not redirected again. */
export const SIDECAR_USER = 1337;
/** Where certificate, key and roots are. */
export const SIDECAR_CERTIFICATES = '/etc/certs';
export const OUTBOUND_PORT = 15_001;
const INBOUND_PORT = 15_006;
/** Our engine does not look where a redirected connection was going: it has a listener for each port of the pod. */
const OWN_INBOUND_PORT = 15_100;

/** Where what arrives for a port of the pod goes. */
export function inboundPort(engine: SidecarEngine, index: number): number {
  return engine === 'envoy' ? INBOUND_PORT : OWN_INBOUND_PORT + index;
}

/** Ports of the pods that proxies take connections for. */
export function targetPorts(ports: readonly ServicePort[]): readonly number[] {
  return [...new Set(ports.map(({ targetPort }) => targetPort))];
}

/** nft program for the pod's namespace. */
export function sidecarRedirection({ engine, ports }: SidecarOptions): string {
  const called = [...new Set(ports.map(({ port }) => port))].join(', ');
  const arriving = targetPorts(ports).map(
    (port, i) => `    tcp dport ${port} redirect to :${inboundPort(engine, i)}`,
  );
  return `table ip aquifer-sidecar {
  chain output {
    type nat hook output priority -100;
    meta skuid != ${SIDECAR_USER} tcp dport { ${called} } redirect to :${OUTBOUND_PORT}
  }
  chain prerouting {
    type nat hook prerouting priority dstnat;
${arriving.join('\n')}
  }
}
`;
}
