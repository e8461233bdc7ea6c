import type { FilterChain } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RawBufferSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/raw_buffer/v3_pb';
import { DownstreamTlsContextSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import { isType, unpack } from './any.ts';
import { ConfigProblem } from './problem.ts';
import { certificateOf, validationOf } from './upstream-tls.ts';

/** Mutual TLS of clients, as between the proxies of a mesh: TLS 1.3, and each proves a SPIFFE identity. PEM files. */
export interface DownstreamTls {
  readonly chainPath: string;
  readonly keyPath: string;
  /** What clients have to chain to. */
  readonly rootsPath: string;
}

/** Null for a listener without TLS. Throws `ConfigProblem` for what is not done. */
export function compileDownstreamTls(filterChains: readonly FilterChain[]): DownstreamTls | null {
  const contexts = filterChains.map(contextOf);
  const [first = null, ...others] = contexts;
  for (const [i, other] of others.entries()) {
    if (JSON.stringify(other) !== JSON.stringify(first))
      throw new ConfigProblem(
        `filter_chains[${i + 1}].transport_socket`,
        'is another than the first chain has: TLS is of the whole listener',
      );
  }
  return first;
}

function contextOf({ transportSocket }: FilterChain, index: number): DownstreamTls | null {
  const any = transportSocket?.configType.value;
  const path = `filter_chains[${index}].transport_socket`;
  if (any === undefined || isType(any, RawBufferSchema)) return null;
  if (!isType(any, DownstreamTlsContextSchema))
    throw new ConfigProblem(path, 'is for endpoints, not for clients');
  const { commonTlsContext, requireClientCertificate } = unpack(
    any,
    DownstreamTlsContextSchema,
    path,
  );
  if (requireClientCertificate !== true)
    throw new ConfigProblem(
      `${path}.require_client_certificate`,
      'clients without a certificate are not served',
    );
  const certificate = certificateOf(commonTlsContext, path);
  if (certificate === null)
    throw new ConfigProblem(`${path}.common_tls_context`, 'has no certificate');
  const { roots, names } = validationOf(commonTlsContext, path, false);
  if (roots.kind !== 'file')
    throw new ConfigProblem(`${path}.common_tls_context`, 'has no file of roots');
  if (names !== 'any')
    throw new ConfigProblem(
      `${path}.common_tls_context.combined_validation_context`,
      'names of clients are compared by policies',
    );
  return { ...certificate, rootsPath: roots.path };
}
