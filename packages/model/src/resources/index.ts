export type { BackendTLSPolicy } from './gateway-api/backend-tls-policy.ts';
export type {
  Gateway,
  GatewayClass,
  ListenerSet,
  ReferenceGrant,
} from './gateway-api/gateway.ts';
export { gateway, gatewayClass, referenceGrant } from './gateway-api/gateway.ts';
export type { GRPCRoute } from './gateway-api/grpc-route.ts';
export { grpcRoute } from './gateway-api/grpc-route.ts';
export type { HTTPRouteFilter } from './gateway-api/http-filters.ts';
export type { HTTPRoute, HTTPRouteMatch, HTTPRouteRule } from './gateway-api/http-route.ts';
export { httpRoute } from './gateway-api/http-route.ts';
export type { TCPRoute, TLSRoute } from './gateway-api/other-routes.ts';
export { tcpRoute, tlsRoute } from './gateway-api/other-routes.ts';
export type { ParentReference, RouteParentStatus } from './gateway-api/references.ts';
export type { DestinationRule, DestinationRulePolicy } from './istio/destination-rule.ts';
export { destinationRule } from './istio/destination-rule.ts';
export type { IstioGateway } from './istio/gateway.ts';
export { istioGateway } from './istio/gateway.ts';
export type { ProxyConfig } from './istio/networking.ts';
export { proxyConfig } from './istio/networking.ts';
export type {
  AuthorizationPolicy,
  AuthorizationRule,
  PeerAuthentication,
  RequestAuthentication,
} from './istio/security.ts';
export {
  authorizationPolicy,
  peerAuthentication,
  requestAuthentication,
} from './istio/security.ts';
export type { ServiceEntry, WorkloadEntry, WorkloadGroup } from './istio/service-entry.ts';
export { serviceEntry, workloadEntry, workloadGroup } from './istio/service-entry.ts';
export type { Sidecar } from './istio/sidecar.ts';
export { sidecar } from './istio/sidecar.ts';
export type { Telemetry } from './istio/telemetry.ts';
export { telemetry } from './istio/telemetry.ts';
export type { VirtualService, VirtualServiceHttpRoute } from './istio/virtual-service.ts';
export { virtualService } from './istio/virtual-service.ts';
export type {
  AdmissionWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from './kubernetes/admission.ts';
export {
  mutatingWebhookConfiguration,
  validatingWebhookConfiguration,
} from './kubernetes/admission.ts';
export type { CronJob, Job } from './kubernetes/batch.ts';
export { cronJob, job } from './kubernetes/batch.ts';
export type { Container, Probe } from './kubernetes/container.ts';
export type {
  ConfigMap,
  Event,
  Namespace,
  Node,
  Secret,
  ServiceAccount,
} from './kubernetes/core.ts';
export { configMap, event, namespace, node, secret, serviceAccount } from './kubernetes/core.ts';
export type { CustomResourceDefinition } from './kubernetes/custom-resource-definition.ts';
export { customResourceDefinition } from './kubernetes/custom-resource-definition.ts';
export type { EndpointSlice, Endpoints, Lease, Service } from './kubernetes/network.ts';
export { endpointSlice, endpoints, lease, service } from './kubernetes/network.ts';
export type {
  ContainerStatus,
  Pod,
  PodSpec,
  PodStatus,
  PodTemplateSpec,
} from './kubernetes/pod.ts';
export { pod } from './kubernetes/pod.ts';
export type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
} from './kubernetes/rbac.ts';
export { clusterRole, clusterRoleBinding, role, roleBinding } from './kubernetes/rbac.ts';
export type { SubjectAccessReview, TokenRequest, TokenReview } from './kubernetes/reviews.ts';
export { subjectAccessReview, tokenRequestSchema, tokenReview } from './kubernetes/reviews.ts';
export type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from './kubernetes/workloads.ts';
export { daemonSet, deployment, replicaSet, statefulSet } from './kubernetes/workloads.ts';
export type { Condition, ObjectMeta, OwnerReference } from './meta.ts';
export { condition, objectMeta, ownerReference } from './meta.ts';
export type { OpenApiSchema } from './openapi-schema.ts';
export { customResourceDefinitionOf, openApiSchema, openApiSchemaOf } from './openapi-schema.ts';
export type { PrinterColumn, ResourceDefinition, ResourceObject } from './resource.ts';
export { defineResource } from './resource.ts';
export {
  gatewayApiResources,
  istioResources,
  kubernetesResources,
  reviewResources,
} from './resource-sets.ts';
