/** Where a sidecar takes connections for its own workload (spec l7 7.3; recordings l7/03, 30), as values. */
import type { Sidecar } from '@aquifer/model/resources';
import type { ObjectRef } from '../../../ingest/kinds.ts';
import type { MeshService } from '../../mesh-service.ts';
import { byAge, nameOf, namespaceOf, refTo } from '../../object.ts';
import { type L7Protocol, l7ProtocolOf, protocolNamed } from '../../protocol.ts';
import { tcpPorts } from './outbound-listeners.ts';
import type { InboundView, OwnService } from './views.ts';

/** One port of the workload. */
export interface InboundPort {
  readonly port: number;
  readonly protocol: L7Protocol;
  /** Part of the names of its chains. */
  readonly address: string;
  /** How traces and routes show it: a service and its port. */
  readonly authority: string;
  readonly shownPort: number;
  /** Null for the workload's own address and port. */
  readonly endpoint: InboundEndpoint | null;
  /** Those that are served here. */
  readonly services: readonly MeshService[];
  readonly source: ObjectRef;
}

/** Where a Sidecar sends connections instead. */
export type InboundEndpoint =
  | { readonly kind: 'socket'; readonly address: string; readonly port: number }
  | { readonly kind: 'pipe'; readonly path: string };

/** By the port of the workload: the oldest service says what it is. */
export function inboundPorts(
  view: InboundView,
  sidecar: Sidecar | undefined,
  service: (key: string) => MeshService | undefined,
): readonly InboundPort[] {
  const served = servedPorts(view.services, service);
  const ingress = sidecar?.spec?.ingress ?? [];
  const ports =
    sidecar === undefined || ingress.length === 0
      ? portsOfServices(served, view)
      : portsOfSidecar(sidecar, served, view);
  return ports.toSorted((a, b) => a.port - b.port);
}

interface ServedPort {
  readonly service: MeshService;
  /** Of the service. */
  readonly number: number;
  readonly protocol: L7Protocol;
  /** Of the workload. */
  readonly target: number;
}

function servedPorts(
  own: readonly OwnService[],
  find: (key: string) => MeshService | undefined,
): ServedPort[] {
  const services = own.flatMap(({ key, ports }) => {
    const service = find(key);
    return service === undefined ? [] : [{ service, ports }];
  });
  return services
    .toSorted((a, b) => byAge(a.service, b.service))
    .flatMap(({ service, ports }) =>
      tcpPorts(service).flatMap(({ number, protocol }) => {
        const target = ports.find(({ servicePort }) => servicePort === number)?.targetPort;
        if (target === undefined) return [];
        return [{ service, number, protocol: l7ProtocolOf(protocol), target }];
      }),
    );
}

function portsOfServices(served: readonly ServedPort[], { wildcard }: InboundView): InboundPort[] {
  const targets = [...new Set(served.map(({ target }) => target))];
  return targets.map((target) => {
    const here = served.filter((port) => port.target === target);
    const { service, number, protocol } = here[0]!;
    return {
      port: target,
      protocol,
      address: wildcard,
      authority: service.hostname,
      shownPort: number,
      endpoint: null,
      services: here.map((port) => port.service),
      source: refTo(service),
    };
  });
}

function portsOfSidecar(
  sidecar: Sidecar,
  served: readonly ServedPort[],
  { addresses: [address], wildcard }: InboundView,
): InboundPort[] {
  const seen = new Set<number>();
  return (sidecar.spec?.ingress ?? []).flatMap(({ port, bind, defaultEndpoint }) => {
    const { number = 0, protocol = '' } = port;
    if (number === 0 || seen.has(number)) return [];
    seen.add(number);
    const here = served.find(({ target }) => target === number);
    return [
      {
        port: number,
        protocol: l7ProtocolOf(protocolNamed(protocol)),
        address: bind ?? address ?? wildcard,
        authority: here?.service.hostname ?? `${nameOf(sidecar)}.${namespaceOf(sidecar)}`,
        shownPort: number,
        endpoint: endpointOf(defaultEndpoint ?? '', number, address),
        services: [],
        source: refTo(sidecar),
      },
    ];
  });
}

/** `127.0.0.1:PORT`, `0.0.0.0:PORT` for the workload's own address, `unix:///PATH`. */
function endpointOf(text: string, port: number, own = ''): InboundEndpoint | null {
  if (text.startsWith('unix://')) return { kind: 'pipe', path: text.slice('unix://'.length) };
  const [, host = '', number = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(text) ?? [];
  if (host === '') return null;
  const isLoopback = host === '127.0.0.1' || host === '::1';
  const address = isLoopback ? host : own;
  if (address === '' || (!isLoopback && Number(number) === port)) return null;
  return { kind: 'socket', address, port: Number(number) };
}
