/**
 * The filter chains of a sidecar's inbound listener: by port, and by what of TLS and HTTP a connection turns out to be
 * (spec l7 7.1; recordings l7/03, 26).
 *
 *   mutual TLS of a sidecar, HTTP in it ┐                     PERMISSIVE  all of them
 *   plaintext that looks like HTTP      ├─ of a sniffed port  STRICT      mutual TLS only
 *   mutual TLS with anything else       │                     DISABLE     plaintext only
 *   plaintext, and TLS of others        ┘
 */
import type { FilterChainMatchSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import type { TlsMode } from '../../peer-authentication.ts';
import type { L7Protocol } from '../../protocol.ts';
import type { Init } from '../packed.ts';
import { SNIFFED_HTTP } from './listeners.ts';

/** A kind of connection to one port, and how it is read. */
export interface ConnectionKind {
  readonly match: Init<typeof FilterChainMatchSchema>;
  readonly reads: 'http' | 'tcp';
  readonly transport: 'mtls' | 'as-is';
}

const MESH_HTTP: readonly string[] = ['istio-http/1.0', 'istio-http/1.1', 'istio-h2'];
const MESH_TCP: readonly string[] = ['istio-peer-exchange', 'istio'];
const MESH_ANY: readonly string[] = ['istio', 'istio-peer-exchange', ...MESH_HTTP];

function overTls(protocols: readonly string[]): ConnectionKind['match'] {
  return { transportProtocol: 'tls', applicationProtocols: [...protocols] };
}

function plain(protocols: readonly string[] = []): ConnectionKind['match'] {
  return { transportProtocol: 'raw_buffer', applicationProtocols: [...protocols] };
}

function mtls(reads: ConnectionKind['reads'], protocols: readonly string[] = []): ConnectionKind {
  return { match: overTls(protocols), reads, transport: 'mtls' };
}

function asIs(match: ConnectionKind['match'], reads: ConnectionKind['reads']): ConnectionKind {
  return { match, reads, transport: 'as-is' };
}

/** TLS that is none of the mesh's is passed on where plaintext is. */
const FOREIGN_TLS = asIs(overTls([]), 'tcp');

type Kinds = Readonly<Record<TlsMode, readonly ConnectionKind[]>>;

const SNIFFED: Kinds = {
  PERMISSIVE: [
    mtls('http', MESH_HTTP),
    asIs(plain(SNIFFED_HTTP), 'http'),
    mtls('tcp', MESH_TCP),
    asIs(plain(), 'tcp'),
    FOREIGN_TLS,
  ],
  STRICT: [mtls('http', MESH_HTTP), mtls('tcp')],
  DISABLE: [asIs(plain(SNIFFED_HTTP), 'http'), asIs(plain(), 'tcp')],
};

const HTTP: Kinds = {
  PERMISSIVE: [mtls('http', MESH_ANY), asIs(plain(), 'http')],
  STRICT: [mtls('http')],
  DISABLE: [asIs(plain(), 'http')],
};

const TCP: Kinds = {
  PERMISSIVE: [mtls('tcp', MESH_ANY), FOREIGN_TLS, asIs(plain(), 'tcp')],
  STRICT: [mtls('tcp')],
  DISABLE: [asIs(plain(), 'tcp')],
};

const KINDS: Readonly<Record<L7Protocol, Kinds>> = {
  http1: HTTP,
  http2: HTTP,
  tcp: TCP,
  unknown: SNIFFED,
};

/** In the order in which they are listed. A mode that is none, which a loosened definition lets pass, is the strictest. */
export function connectionKinds(protocol: L7Protocol, mode: TlsMode): readonly ConnectionKind[] {
  const kinds = KINDS[protocol];
  return Object.hasOwn(kinds, mode) ? kinds[mode] : kinds.STRICT;
}
