export type {
  ConfigDump,
  DumpedCertificate,
  DumpedEndpoint,
  DumpedGateway,
  DumpedIdentity,
  DumpedPolicy,
  DumpedService,
  DumpedWorkload,
} from './admin/config-dump.ts';
export {
  describeEndpoint,
  describePolicy,
  describeService,
  describeWorkload,
} from './admin/config-dump.ts';
export type {
  ExplainedLine,
  ExplainedObject,
  Explanation,
  Reason,
} from './admin/explanation.ts';
export type { GrpcMethod } from './grpc-methods.ts';
export { grpcMethods } from './grpc-methods.ts';
export type { Baggage } from './http/baggage.ts';
export { decodeBaggage, encodeBaggage } from './http/baggage.ts';
export { HOP_BY_HOP, isConnectionField, isFieldValue } from './http/connection-fields.ts';
export type { Forwarded } from './http/forwarded.ts';
export { decodeForwarded, encodeForwarded } from './http/forwarded.ts';
export { encodeProxyV2 } from './http/proxy-v2.ts';
export type { Authority, SocketAddress } from './http/socket-address.ts';
export { formatSocketAddress, parseAuthority } from './http/socket-address.ts';
export {
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  CLUSTER_TYPE,
  ENDPOINT_TYPE,
  ENROLLED_POD_TYPE,
  LISTENER_TYPE,
  ROUTE_TYPE,
  SECRET_TYPE,
} from './type-urls.ts';
export { decodeAuthorization, encodeAuthorization } from './wds/authorization.ts';
export { decodeService, encodeService } from './wds/service.ts';
export { decodeWorkload, encodeWorkload } from './wds/workload.ts';
