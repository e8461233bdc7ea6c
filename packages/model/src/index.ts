export { authorize } from './authorize.ts';
export type {
  CompiledPolicy,
  JudgedConnection,
  PeerConnection,
  Verdict,
} from './compiled-policy.ts';
export {
  CompiledPolicies,
  compilePolicy,
  judgedConnection,
  policyKey,
} from './compiled-policy.ts';
export type { Identity } from './identity.ts';
export { formatIdentity, parseIdentity, principal } from './identity.ts';
export type { Cidr } from './ip-address.ts';
export {
  AddressRange,
  canonicalIpAddress,
  cidrContains,
  formatIpAddress,
  parseCidr,
  parseIpAddress,
} from './ip-address.ts';
export type { ErrorFacts, ErrorOrigin, RetryRule } from './mesh-error.ts';
export { MeshError } from './mesh-error.ts';
export type { Result } from './result.ts';
export { err, ok } from './result.ts';
export type {
  ApplicationTunnel,
  AppProtocol,
  Authorization,
  AuthorizationMatch,
  GatewayAddress,
  LoadBalancing,
  Locality,
  NamespacedHostname,
  NetworkAddress,
  RoutingScope,
  Service,
  ServiceAccountMatch,
  ServiceAddress,
  ServicePort,
  StringMatch,
  WeightedWaypoint,
  Workload,
} from './workload.ts';
export { EMPTY_MATCH, serviceKey } from './workload.ts';
