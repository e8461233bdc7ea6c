import type { GrpcService, HttpService } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { durationMs } from './any.ts';
import { ConfigProblem } from './problem.ts';

/** Where a collector is, and what it is asked with. */
export interface CollectorAddress {
  readonly cluster: string;
  readonly authority: string;
  /** Empty for gRPC, where the method says it. */
  readonly path: string;
  /** Name, value, name, value, …; names in lower case. */
  readonly headers: readonly string[];
  readonly timeoutMs: number;
}

const USUAL_TIMEOUT_MS = 5_000;

export function grpcCollector(service: GrpcService | undefined, path: string): CollectorAddress {
  if (service?.targetSpecifier.case !== 'envoyGrpc') {
    throw new ConfigProblem(path, 'names no cluster');
  }
  const { clusterName, authority } = service.targetSpecifier.value;
  return {
    cluster: clusterName,
    authority: authority || clusterName,
    path: '',
    headers: service.initialMetadata.flatMap(({ key, value }) => [key.toLowerCase(), value]),
    timeoutMs: durationMs(service.timeout) ?? USUAL_TIMEOUT_MS,
  };
}

/** The URI may have a scheme, a host and a path, or some of them. */
export function httpCollector(service: HttpService | undefined, path: string): CollectorAddress {
  const target = service?.httpUri;
  const cluster = target?.httpUpstreamType.value ?? '';
  if (target === undefined || cluster === '') {
    throw new ConfigProblem(`${path}.http_uri`, 'names no cluster');
  }
  const [, host, at] = /^(?:[a-z]+:\/\/)?([^/]*)(\/.*)?$/i.exec(target.uri) ?? [];
  return {
    cluster,
    authority: host || cluster,
    path: at || '/',
    headers: addedHeaders(service),
    timeoutMs: durationMs(target.timeout) ?? USUAL_TIMEOUT_MS,
  };
}

function addedHeaders(service: HttpService | undefined): readonly string[] {
  return (service?.requestHeadersToAdd ?? []).flatMap(({ header }) =>
    header === undefined ? [] : [header.key.toLowerCase(), header.value],
  );
}
