/** What ports carry (Istio docs "Protocol Selection"; spec control-plane 2.5, 6.1), and what proxies make of it. */
import type { AppProtocol } from '@aquifer/model';

/** Everything that a port's name, `appProtocol` or `protocol` may say; `unknown` is whatever is none of these. */
export type Protocol =
  | 'http'
  | 'http_proxy'
  | 'http2'
  | 'grpc'
  | 'grpc-web'
  | 'https'
  | 'tls'
  | 'tcp'
  | 'mongo'
  | 'mysql'
  | 'redis'
  | 'udp'
  | 'unknown';

/** What an HTTP proxy makes of a port. `unknown` is sniffed: HTTP if it looks like it, else TCP. */
export type L7Protocol = 'http1' | 'http2' | 'tcp' | 'unknown';

interface Meaning {
  /** Node proxies tell fewer apart. */
  readonly app: AppProtocol;
  readonly l7: L7Protocol;
}

const MEANINGS: Readonly<Record<Protocol, Meaning>> = {
  http: { app: 'http11', l7: 'http1' },
  http_proxy: { app: 'unknown', l7: 'http1' },
  http2: { app: 'http2', l7: 'http2' },
  grpc: { app: 'grpc', l7: 'http2' },
  'grpc-web': { app: 'unknown', l7: 'http1' },
  https: { app: 'tls', l7: 'tcp' },
  tls: { app: 'tls', l7: 'tcp' },
  tcp: { app: 'tcp', l7: 'tcp' },
  mongo: { app: 'unknown', l7: 'tcp' },
  mysql: { app: 'unknown', l7: 'tcp' },
  redis: { app: 'unknown', l7: 'tcp' },
  udp: { app: 'unknown', l7: 'unknown' },
  unknown: { app: 'unknown', l7: 'unknown' },
};

export function appProtocolOf(protocol: Protocol): AppProtocol {
  return MEANINGS[protocol].app;
}

export function l7ProtocolOf(protocol: Protocol): L7Protocol {
  return MEANINGS[protocol].l7;
}

/** The protocol of that name, whatever the case; `unknown` if there is none. */
export function protocolNamed(text: string): Protocol {
  const word = text.toLowerCase();
  return Object.hasOwn(MEANINGS, word) ? (word as Protocol) : 'unknown';
}
