import type {
  AuthorizationPolicy,
  BackendTLSPolicy,
  ConfigMap,
  Deployment,
  DestinationRule,
  EndpointSlice,
  Gateway,
  GatewayClass,
  GRPCRoute,
  HTTPRoute,
  IstioGateway,
  ListenerSet,
  Namespace,
  Node,
  ObjectMeta,
  PeerAuthentication,
  Pod,
  ProxyConfig,
  ReferenceGrant,
  RequestAuthentication,
  Secret,
  Service,
  ServiceAccount,
  ServiceEntry,
  Sidecar,
  TCPRoute,
  Telemetry,
  TLSRoute,
  ValidatingWebhookConfiguration,
  VirtualService,
  WorkloadEntry,
} from '@aquifer/model/resources';

/** A reference to an API object, as provenance and statuses name it; namespace `''` is cluster scope. */
export interface ObjectRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** The TypeScript type of each kind that the control plane watches. */
export interface WatchedTypes {
  readonly Namespace: Namespace;
  readonly Node: Node;
  readonly Pod: Pod;
  readonly Service: Service;
  readonly EndpointSlice: EndpointSlice;
  readonly Gateway: Gateway;
  readonly GatewayClass: GatewayClass;
  readonly HTTPRoute: HTTPRoute;
  readonly GRPCRoute: GRPCRoute;
  readonly TCPRoute: TCPRoute;
  readonly TLSRoute: TLSRoute;
  readonly ListenerSet: ListenerSet;
  readonly ReferenceGrant: ReferenceGrant;
  readonly BackendTLSPolicy: BackendTLSPolicy;
  readonly AuthorizationPolicy: AuthorizationPolicy;
  readonly PeerAuthentication: PeerAuthentication;
  readonly RequestAuthentication: RequestAuthentication;
  readonly Deployment: Deployment;
  readonly ServiceAccount: ServiceAccount;
  readonly ConfigMap: ConfigMap;
  readonly ServiceEntry: ServiceEntry;
  readonly WorkloadEntry: WorkloadEntry;
  readonly Sidecar: Sidecar;
  readonly VirtualService: VirtualService;
  readonly DestinationRule: DestinationRule;
  readonly Telemetry: Telemetry;
  readonly ProxyConfig: ProxyConfig;
  /** Istio's own, not the Gateway of the Gateway API. */
  readonly IstioGateway: IstioGateway;
  /** Those that ask the control plane. */
  readonly ValidatingWebhookConfiguration: ValidatingWebhookConfiguration;
  /** Those that may hold certificates. */
  readonly Secret: Secret;
  /** Those that may hold certificates of authorities, whoever wrote them. */
  readonly RootConfigMap: ConfigMap;
  /** The one ConfigMap that configures the mesh. */
  readonly MeshConfigMap: ConfigMap;
  /** What is laid over the objects of every Gateway of a class. */
  readonly GatewayClassDefaults: ConfigMap;
  /** Those that Gateways and their classes refer to, each watched by itself. */
  readonly ReferredConfigMap: ConfigMap;
  /** The one with the roots of the mesh, if it is wanted. */
  readonly ClusterTrustBundle: ClusterTrustBundle;
  readonly HorizontalPodAutoscaler: ManagedObject;
  readonly PodDisruptionBudget: ManagedObject;
}

/** An object of which only its metadata is read. */
interface ManagedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** Kubernetes API (certificates.k8s.io): roots that pods can mount. */
interface ClusterTrustBundle {
  readonly metadata: ObjectMeta;
  readonly spec?: { readonly trustBundle?: string };
}

export type WatchedKind = keyof WatchedTypes;

interface KindPath {
  /** `group/version`; the core group is `v1`. */
  readonly apiVersion: string;
  readonly plural: string;
  /** Default: that of the key. */
  readonly kind?: string;
  /** Only objects with this label are watched. Default: all. */
  readonly labelSelector?: string;
  /** As well. */
  readonly fieldSelector?: string;
}

/** Marks what a Gateway of ours was turned into (spec control-plane 1.1). */
export const MANAGED_LABEL = 'gateway.istio.io/managed';

/** Names a class of Gateways, on a ConfigMap that lies over what they become. */
export const CLASS_DEFAULTS_LABEL = 'gateway.istio.io/defaults-for-class';

/** On every ConfigMap that the control plane writes. */
export const CONFIG_LABEL = 'istio.io/config';

/** Where the API serves each kind; of some only those that the control plane itself made are watched. */
export const WATCHED_KINDS: Readonly<Record<WatchedKind, KindPath>> = {
  Namespace: { apiVersion: 'v1', plural: 'namespaces' },
  Node: { apiVersion: 'v1', plural: 'nodes' },
  Pod: { apiVersion: 'v1', plural: 'pods' },
  Service: { apiVersion: 'v1', plural: 'services' },
  EndpointSlice: { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices' },
  Gateway: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'gateways' },
  GatewayClass: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'gatewayclasses' },
  HTTPRoute: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'httproutes' },
  GRPCRoute: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'grpcroutes' },
  TCPRoute: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'tcproutes' },
  TLSRoute: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'tlsroutes' },
  ListenerSet: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'listenersets' },
  ReferenceGrant: { apiVersion: 'gateway.networking.k8s.io/v1beta1', plural: 'referencegrants' },
  BackendTLSPolicy: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'backendtlspolicies' },
  AuthorizationPolicy: { apiVersion: 'security.istio.io/v1', plural: 'authorizationpolicies' },
  PeerAuthentication: { apiVersion: 'security.istio.io/v1', plural: 'peerauthentications' },
  RequestAuthentication: {
    apiVersion: 'security.istio.io/v1',
    plural: 'requestauthentications',
  },
  Deployment: { apiVersion: 'apps/v1', plural: 'deployments', labelSelector: MANAGED_LABEL },
  ServiceAccount: { apiVersion: 'v1', plural: 'serviceaccounts', labelSelector: MANAGED_LABEL },
  ConfigMap: { apiVersion: 'v1', plural: 'configmaps', labelSelector: `${CONFIG_LABEL}=true` },
  ServiceEntry: { apiVersion: 'networking.istio.io/v1', plural: 'serviceentries' },
  WorkloadEntry: { apiVersion: 'networking.istio.io/v1', plural: 'workloadentries' },
  Sidecar: { apiVersion: 'networking.istio.io/v1', plural: 'sidecars' },
  VirtualService: { apiVersion: 'networking.istio.io/v1', plural: 'virtualservices' },
  DestinationRule: { apiVersion: 'networking.istio.io/v1', plural: 'destinationrules' },
  Telemetry: { apiVersion: 'telemetry.istio.io/v1', plural: 'telemetries' },
  ProxyConfig: { apiVersion: 'networking.istio.io/v1beta1', plural: 'proxyconfigs' },
  IstioGateway: { apiVersion: 'networking.istio.io/v1', plural: 'gateways', kind: 'Gateway' },
  ValidatingWebhookConfiguration: {
    apiVersion: 'admissionregistration.k8s.io/v1',
    plural: 'validatingwebhookconfigurations',
    labelSelector: 'istio=istiod',
  },
  Secret: {
    apiVersion: 'v1',
    plural: 'secrets',
    // Where there are many of these, they are larger than everything else.
    fieldSelector: 'type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token',
  },
  RootConfigMap: { apiVersion: 'v1', plural: 'configmaps', kind: 'ConfigMap' },
  MeshConfigMap: { apiVersion: 'v1', plural: 'configmaps', kind: 'ConfigMap' },
  GatewayClassDefaults: {
    apiVersion: 'v1',
    plural: 'configmaps',
    kind: 'ConfigMap',
    labelSelector: CLASS_DEFAULTS_LABEL,
  },
  ReferredConfigMap: { apiVersion: 'v1', plural: 'configmaps', kind: 'ConfigMap' },
  ClusterTrustBundle: { apiVersion: 'certificates.k8s.io/v1beta1', plural: 'clustertrustbundles' },
  HorizontalPodAutoscaler: {
    apiVersion: 'autoscaling/v2',
    plural: 'horizontalpodautoscalers',
    labelSelector: MANAGED_LABEL,
  },
  PodDisruptionBudget: {
    apiVersion: 'policy/v1',
    plural: 'poddisruptionbudgets',
    labelSelector: MANAGED_LABEL,
  },
};

/** The API path of a kind's collection over all namespaces, or of one namespace. */
export function collectionPath(
  kind: { readonly apiVersion: string; readonly plural: string },
  namespace = '',
): string {
  const root = kind.apiVersion.includes('/') ? `/apis/${kind.apiVersion}` : '/api/v1';
  return namespace === ''
    ? `${root}/${kind.plural}`
    : `${root}/namespaces/${namespace}/${kind.plural}`;
}

/** What an API path, of an object or of its status, leads to; null for paths of collections and of kinds that are not watched. */
export function objectAt(path: string): (ObjectRef & { readonly kind: WatchedKind }) | null {
  const [, root, namespace = '', plural, name = ''] = OBJECT_PATH.exec(path) ?? [];
  for (const [kind, watched] of Object.entries(WATCHED_KINDS)) {
    if (collectionPath(watched) === `${root}/${plural}`) {
      return { kind: kind as WatchedKind, namespace, name };
    }
  }
  return null;
}

const OBJECT_PATH =
  /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)\/([^/]+)(?:\/status)?$/;

/** The API path of a kind's CustomResourceDefinition; null for the kinds that Kubernetes itself has. */
export function definitionPath(kind: {
  readonly apiVersion: string;
  readonly plural: string;
}): string | null {
  const [group = ''] = kind.apiVersion.split('/');
  if (!CUSTOM_GROUPS.includes(group)) return null;
  return `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${kind.plural}.${group}`;
}

const CUSTOM_GROUPS: readonly string[] = [
  'gateway.networking.k8s.io',
  'security.istio.io',
  'networking.istio.io',
  'telemetry.istio.io',
];
