/** What a waypoint makes of a Service port (spec control-plane 6.1, Istio docs "Protocol Selection"). */
import type { Service } from '@aquifer/model/resources';
import { appProtocolOf, type KubernetesServicePort } from '../ports.ts';

/** `unknown` is sniffed: HTTP if it looks like it, else TCP. */
type L7Protocol = 'http1' | 'http2' | 'tcp' | 'unknown';

export interface L7Port {
  readonly port: number;
  readonly protocol: L7Protocol;
}

/** Names that ztunnel does not tell apart, but an HTTP proxy must: all but gRPC-Web are opaque bytes. */
const OPAQUE: ReadonlyMap<string, L7Protocol> = new Map([
  ['grpc-web', 'http1'],
  ['http_proxy', 'http1'],
  ['mysql', 'tcp'],
  ['mongo', 'tcp'],
  ['redis', 'tcp'],
]);

/** The TCP ports of a Service, in its order; UDP and SCTP never reach a waypoint. */
export function l7Ports(service: Service): L7Port[] {
  return (service.spec?.ports ?? [])
    .filter(({ protocol = 'TCP' }) => protocol === 'TCP')
    .map((port) => ({ port: port.port, protocol: protocolOf(port) }));
}

function protocolOf(port: KubernetesServicePort): L7Protocol {
  switch (appProtocolOf(port)) {
    case 'http11':
      return 'http1';
    case 'http2':
    case 'grpc':
      return 'http2';
    case 'tcp':
    case 'tls':
      return 'tcp';
    case 'unknown':
      return opaqueProtocol(port);
  }
}

function opaqueProtocol({ appProtocol, name = '' }: KubernetesServicePort): L7Protocol {
  const text = (appProtocol ?? name).toLowerCase();
  const word = text.startsWith('grpc-web') ? 'grpc-web' : (text.split('-', 1)[0] ?? '');
  return OPAQUE.get(word) ?? 'unknown';
}

/** Whether HTTP is served on the port, and whether bytes are passed through. */
export function speaks({ protocol }: L7Port, kind: 'http' | 'tcp'): boolean {
  return protocol === 'unknown' || (protocol === 'tcp') === (kind === 'tcp');
}
