/**
 * What a Gateway becomes (spec control-plane 5.2, 5.3): ServiceAccount, Deployment, Service, and where somebody lays
 * something over them an autoscaler and a disruption budget.
 */
import { ok, type Result } from '@aquifer/model';
import type { Gateway } from '@aquifer/model/resources';
import { generatedName } from '../derive/gateway-api/gateway-services.ts';
import {
  DATAPLANE_MODE_LABEL,
  GATEWAY_CLASS_LABEL,
  GATEWAY_CONTROLLER,
  GATEWAY_NAME_LABEL,
  NETWORK_LABEL,
  SERVICE_ACCOUNT_ANNOTATION,
  TRAFFIC_DISTRIBUTION_ANNOTATION,
} from '../derive/labels.ts';
import { annotationsOf, labelsOf, nameOf, namespaceOf } from '../derive/object.ts';
import { type ProxyStart, USUAL_START } from '../derive/proxy-start.ts';
import { MANAGED_LABEL } from '../ingest/kinds.ts';
import type { Manifest } from '../reconcile/wish.ts';
import { type Overlay, overlaid } from './overlay.ts';
import { type WaypointPod, waypointPodSpec } from './waypoint-pod.ts';
import type { WaypointSettings } from './waypoint-settings.ts';

type Labels = Readonly<Record<string, string>>;

/** What somebody says of one Gateway. */
export interface GatewayWords {
  readonly overlays?: readonly Overlay[];
  readonly start?: ProxyStart;
}

const SERVICE_TYPE_ANNOTATION = 'networking.istio.io/service-type';
const STATUS_PORT = 15021;

/** What differs by who runs a Gateway. */
interface Controlled {
  readonly managedLabel: string;
  readonly serviceType: 'ClusterIP' | 'LoadBalancer';
  /** Of the Service. */
  readonly serviceAnnotations: Readonly<Record<string, string>>;
  /** Whether its objects are of the network that the installation names. */
  readonly hasNetwork: boolean;
  readonly role: 'waypoint' | 'router';
}

const WAYPOINT: Controlled = {
  managedLabel: 'istio.io-mesh-controller',
  serviceType: 'ClusterIP',
  serviceAnnotations: { [TRAFFIC_DISTRIBUTION_ANNOTATION]: 'PreferClose' },
  hasNetwork: true,
  role: 'waypoint',
};

const GATEWAY: Controlled = {
  managedLabel: 'istio.io-gateway-controller',
  serviceType: 'LoadBalancer',
  serviceAnnotations: {},
  hasNetwork: false,
  role: 'router',
};

function controlledBy(controller: string): Controlled {
  return controller === GATEWAY_CONTROLLER ? GATEWAY : WAYPOINT;
}

/** A Gateway, who runs it, and what it listens for. */
export interface RunGateway {
  readonly gateway: Gateway;
  readonly controller: string;
  readonly listeners: readonly {
    readonly name: string;
    readonly port: number;
    readonly protocol: string;
  }[];
}

/** In the order in which they are applied. The error names the ConfigMap whose overlay cannot be. */
export function waypointManifests(
  run: RunGateway,
  settings: WaypointSettings,
  { overlays = [], start = USUAL_START }: GatewayWords = {},
): Result<Manifest[], string> {
  const manifests: Manifest[] = [];
  for (const plain of plainManifests(run, settings, start)) {
    const { kind } = plain;
    const own = overlays.filter(({ fragments }) => fragments[kind] !== undefined);
    if (own.length === 0 && ON_DEMAND.includes(kind)) continue;
    let manifest = plain;
    for (const overlay of own) {
      const result = overlaid(manifest, overlay);
      if (!result.ok) return result;
      manifest = result.value;
    }
    manifests.push(manifest);
  }
  return ok(manifests);
}

/** Kinds of which a Gateway becomes one only where somebody says what is in it. */
export const ON_DEMAND: readonly Manifest['kind'][] = [
  'HorizontalPodAutoscaler',
  'PodDisruptionBudget',
];

function plainManifests(
  run: RunGateway,
  settings: WaypointSettings,
  start: ProxyStart,
): Manifest[] {
  const { gateway, controller } = run;
  const controlled = controlledBy(controller);
  const name = generatedName(gateway, controller);
  const serviceAccount = annotationsOf(gateway)[SERVICE_ACCOUNT_ANNOTATION] || name;
  const labels = objectLabels(gateway, controlled, settings);
  const annotations = copiedAnnotations(gateway);
  const metadata = {
    namespace: namespaceOf(gateway),
    labels,
    annotations,
    ownerReferences: [ownerReference(gateway)],
  };
  const pod = {
    namespace: namespaceOf(gateway),
    name,
    serviceAccount,
    role: controlled.role,
    start,
  };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { ...metadata, name: serviceAccount } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { ...metadata, name },
      spec: deploymentSpec(gateway, pod, { labels, annotations }, settings),
    } as Manifest,
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        ...metadata,
        name,
        annotations: { ...annotations, ...controlled.serviceAnnotations },
      },
      spec: serviceSpec(run, controlled),
    } as Manifest,
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { ...metadata, name },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
        maxReplicas: 1,
      },
    } as Manifest,
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { ...metadata, name },
      spec: { selector: { matchLabels: { [GATEWAY_NAME_LABEL]: nameOf(gateway) } } },
    } as Manifest,
  ];
}

function ownerReference(gateway: Gateway): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    name: nameOf(gateway),
    uid: gateway.metadata.uid ?? '',
  };
}

/** `spec.infrastructure`, where it is set, replaces what would be copied from the Gateway itself. */
function objectLabels(
  gateway: Gateway,
  { managedLabel, hasNetwork, role }: Controlled,
  { network }: Pick<WaypointSettings, 'network'>,
): Labels {
  const copied = gateway.spec.infrastructure?.labels ?? labelsOf(gateway);
  const ownNetwork = labelsOf(gateway)[NETWORK_LABEL] ?? (hasNetwork ? network : '');
  return {
    // Its clients are outside of the mesh, unless somebody says otherwise.
    ...(role === 'router' && { [DATAPLANE_MODE_LABEL]: 'none' }),
    ...withoutReserved(copied),
    [MANAGED_LABEL]: managedLabel,
    [GATEWAY_NAME_LABEL]: nameOf(gateway),
    [GATEWAY_CLASS_LABEL]: gateway.spec.gatewayClassName,
    ...(ownNetwork !== '' && { [NETWORK_LABEL]: ownNetwork }),
  };
}

function copiedAnnotations(gateway: Gateway): Readonly<Record<string, string>> {
  const copied = gateway.spec.infrastructure?.annotations ?? annotationsOf(gateway);
  const {
    [LAST_APPLIED]: _applied,
    [CONTROLLER_VERSION]: _version,
    ...rest
  } = withoutReserved(copied);
  return rest;
}

/** kubectl's bookkeeping of the Gateway itself. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
export const CONTROLLER_VERSION = 'gateway.istio.io/controller-version';

function withoutReserved(map: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(map).filter(
    ([key]) => !key.startsWith('gateway.networking.k8s.io/'),
  );
  return Object.fromEntries(entries);
}

function deploymentSpec(
  gateway: Gateway,
  pod: WaypointPod,
  copied: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  },
  settings: WaypointSettings,
): object {
  return {
    selector: { matchLabels: { [GATEWAY_NAME_LABEL]: nameOf(gateway) } },
    template: {
      metadata: {
        annotations: {
          ...copied.annotations,
          'istio.io/rev': settings.revision,
          'prometheus.io/path': '/stats/prometheus',
          'prometheus.io/port': '15020',
          'prometheus.io/scrape': 'true',
        },
        labels: podLabels(pod, copied.labels),
      },
      spec: waypointPodSpec(pod, settings),
    },
  };
}

function podLabels({ name, role }: Pick<WaypointPod, 'name' | 'role'>, copied: Labels): Labels {
  return {
    ...copied,
    ...(role === 'waypoint' && { [DATAPLANE_MODE_LABEL]: 'none' }),
    'service.istio.io/canonical-name': name,
    'service.istio.io/canonical-revision': 'latest',
    'sidecar.istio.io/inject': 'false',
  };
}

/** The pods of a Gateway, as ProxyConfigs and their like look at them. */
export function podMetadata(
  { gateway, controller }: Pick<RunGateway, 'gateway' | 'controller'>,
  settings: Pick<WaypointSettings, 'network'>,
): { readonly labels: Labels; readonly annotations: Labels } {
  const controlled = controlledBy(controller);
  const pod = { name: generatedName(gateway, controller), role: controlled.role };
  const labels = podLabels(pod, objectLabels(gateway, controlled, settings));
  return { labels, annotations: copiedAnnotations(gateway) };
}

function serviceSpec({ gateway, listeners }: RunGateway, { serviceType }: Controlled): object {
  return {
    type: annotationsOf(gateway)[SERVICE_TYPE_ANNOTATION] || serviceType,
    ipFamilyPolicy: 'PreferDualStack',
    selector: { [GATEWAY_NAME_LABEL]: nameOf(gateway) },
    ports: servicePorts(listeners),
    ...wantedAddress(gateway),
  };
}

/** A Service can ask for one address only: of several, none. */
function wantedAddress({ spec }: Gateway): { readonly loadBalancerIP?: string } {
  const [address, ...others] = spec.addresses ?? [];
  const { type = 'IPAddress', value = '' } = address ?? {};
  const isOne = others.length === 0 && type === 'IPAddress' && value !== '';
  return isOne ? { loadBalancerIP: value } : {};
}

interface ServicePort {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'TCP';
  readonly appProtocol: string;
}

/** One for each port number, whatever number of listeners share it; no two have one name. */
function servicePorts(listeners: RunGateway['listeners']): ServicePort[] {
  const ports: ServicePort[] = [
    { name: 'status-port', port: STATUS_PORT, protocol: 'TCP', appProtocol: 'tcp' },
  ];
  for (const listener of listeners) {
    const { port } = listener;
    if (ports.some((known) => known.port === port)) continue;
    const protocol = listener.protocol.toLowerCase();
    const cleaned = portName(listener.name);
    const isTaken = cleaned === '' || ports.some(({ name }) => name === cleaned);
    const name = isTaken ? portName(`${protocol}-${port}`) : cleaned;
    const appProtocol = protocol === 'hbone' ? 'all' : protocol;
    ports.push({ name, port, protocol: 'TCP', appProtocol });
  }
  return ports;
}

const LONGEST_PORT_NAME = 63;

/** A listener's name may have dots, and be longer than a Service's port may be called (a DNS label). */
function portName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .slice(0, LONGEST_PORT_NAME)
    .replaceAll(/^-+|-+$/g, '');
}
