/** The resources by who defines them: what a cluster brings, and what the mesh's CRDs add. */
import { backendTlsPolicy } from './gateway-api/backend-tls-policy.ts';
import { gateway, gatewayClass, listenerSet, referenceGrant } from './gateway-api/gateway.ts';
import { grpcRoute } from './gateway-api/grpc-route.ts';
import { httpRoute } from './gateway-api/http-route.ts';
import { tcpRoute, tlsRoute, udpRoute } from './gateway-api/other-routes.ts';
import { destinationRule } from './istio/destination-rule.ts';
import { istioGateway } from './istio/gateway.ts';
import { envoyFilter, proxyConfig, trafficExtension, wasmPlugin } from './istio/networking.ts';
import {
  authorizationPolicy,
  peerAuthentication,
  requestAuthentication,
} from './istio/security.ts';
import { serviceEntry, workloadEntry, workloadGroup } from './istio/service-entry.ts';
import { sidecar } from './istio/sidecar.ts';
import { telemetry } from './istio/telemetry.ts';
import { virtualService } from './istio/virtual-service.ts';
import {
  mutatingWebhookConfiguration,
  validatingWebhookConfiguration,
} from './kubernetes/admission.ts';
import { cronJob, job } from './kubernetes/batch.ts';
import { configMap, event, namespace, node, secret, serviceAccount } from './kubernetes/core.ts';
import { customResourceDefinition } from './kubernetes/custom-resource-definition.ts';
import { endpointSlice, endpoints, lease, service } from './kubernetes/network.ts';
import { pod } from './kubernetes/pod.ts';
import { clusterRole, clusterRoleBinding, role, roleBinding } from './kubernetes/rbac.ts';
import {
  binding,
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectReview,
  selfSubjectRulesReview,
  subjectAccessReview,
  tokenReview,
} from './kubernetes/reviews.ts';
import { storedOnlyResources } from './kubernetes/stored-only.ts';
import { daemonSet, deployment, replicaSet, statefulSet } from './kubernetes/workloads.ts';
import type { ResourceDefinition } from './resource.ts';

/** Kinds that every Kubernetes API serves by itself. */
export const kubernetesResources: readonly ResourceDefinition[] = [
  configMap,
  endpoints,
  event,
  namespace,
  node,
  pod,
  secret,
  serviceAccount,
  service,
  mutatingWebhookConfiguration,
  validatingWebhookConfiguration,
  customResourceDefinition,
  daemonSet,
  deployment,
  replicaSet,
  statefulSet,
  cronJob,
  job,
  lease,
  endpointSlice,
  clusterRole,
  clusterRoleBinding,
  role,
  roleBinding,
  ...storedOnlyResources,
];

/** Kinds that are posted and answered, never stored. */
export const reviewResources: readonly ResourceDefinition[] = [
  binding,
  tokenReview,
  selfSubjectReview,
  selfSubjectAccessReview,
  subjectAccessReview,
  localSubjectAccessReview,
  selfSubjectRulesReview,
];

/** Gateway API, experimental channel. */
export const gatewayApiResources: readonly ResourceDefinition[] = [
  gatewayClass,
  gateway,
  httpRoute,
  grpcRoute,
  tcpRoute,
  tlsRoute,
  udpRoute,
  referenceGrant,
  backendTlsPolicy,
  listenerSet,
];

/** The kinds of Istio that the mesh reads or reports. */
export const istioResources: readonly ResourceDefinition[] = [
  authorizationPolicy,
  peerAuthentication,
  requestAuthentication,
  virtualService,
  destinationRule,
  serviceEntry,
  workloadEntry,
  workloadGroup,
  sidecar,
  istioGateway,
  envoyFilter,
  proxyConfig,
  wasmPlugin,
  trafficExtension,
  telemetry,
];
