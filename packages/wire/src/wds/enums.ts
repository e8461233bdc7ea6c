import type { AppProtocol, LoadBalancing, RoutingScope, Service, Workload } from '@aquifer/model';
import {
  LoadBalancing_HealthPolicy as HealthPolicy,
  IPFamilies,
  LoadBalancing_Mode as Mode,
  AppProtocol as PbAppProtocol,
  LoadBalancing_Scope as Scope,
  WorkloadType,
} from '../gen/istio/workload_pb.ts';

/** Pairs each word of the model with its number on the wire; unknown numbers read as undefined. */
interface WordTable<Word extends string, Code extends number> {
  readonly encode: Readonly<Record<Word, Code>>;
  decode(number: number): Word | undefined;
}

function table<Word extends string, Code extends number>(
  words: Readonly<Record<Word, Code>>,
): WordTable<Word, Code> {
  const byNumber = new Map<number, Word>();
  for (const word of Object.keys(words) as Word[]) byNumber.set(words[word], word);
  return { encode: words, decode: (number) => byNumber.get(number) };
}

export const APP_PROTOCOL: WordTable<AppProtocol, PbAppProtocol> = table({
  unknown: PbAppProtocol.UNKNOWN,
  http11: PbAppProtocol.HTTP11,
  http2: PbAppProtocol.HTTP2,
  grpc: PbAppProtocol.GRPC,
  tcp: PbAppProtocol.TCP,
  tls: PbAppProtocol.TLS,
});

export const WORKLOAD_TYPE: WordTable<Workload['workloadType'], WorkloadType> = table({
  deployment: WorkloadType.DEPLOYMENT,
  cronjob: WorkloadType.CRONJOB,
  pod: WorkloadType.POD,
  job: WorkloadType.JOB,
});

export const IP_FAMILIES: WordTable<Service['ipFamilies'], IPFamilies> = table({
  automatic: IPFamilies.AUTOMATIC,
  'ipv4-only': IPFamilies.IPV4_ONLY,
  'ipv6-only': IPFamilies.IPV6_ONLY,
  dual: IPFamilies.DUAL,
});

export const ROUTING_SCOPE: WordTable<RoutingScope, Scope> = table({
  region: Scope.REGION,
  zone: Scope.ZONE,
  subzone: Scope.SUBZONE,
  node: Scope.NODE,
  cluster: Scope.CLUSTER,
  network: Scope.NETWORK,
});

export const LOAD_BALANCING_MODE: WordTable<LoadBalancing['mode'], Mode> = table({
  standard: Mode.UNSPECIFIED_MODE,
  strict: Mode.STRICT,
  failover: Mode.FAILOVER,
  passthrough: Mode.PASSTHROUGH,
});

export const HEALTH_POLICY: WordTable<LoadBalancing['healthPolicy'], HealthPolicy> = table({
  'only-healthy': HealthPolicy.ONLY_HEALTHY,
  'allow-all': HealthPolicy.ALLOW_ALL,
});
