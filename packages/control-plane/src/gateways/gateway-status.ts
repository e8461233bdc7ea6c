/** The status of a waypoint's Gateway (spec control-plane 5.4). */
import type { Gateway, Pod, Service } from '@aquifer/model/resources';
import { type MeshSettings, serviceHostname } from '../derive/mesh.ts';
import { annotationsOf, labelsOf, nameOf, namespaceOf } from '../derive/object.ts';
import { isTerminal, podAddresses, selectsPod } from '../derive/workloads.ts';
import type { ClusterState } from '../ingest/cluster-state.ts';
import type { ConditionText } from '../status/condition-list.ts';

export interface DerivedGatewayStatus {
  /** Empty as long as nothing was ever assigned. */
  readonly addresses: readonly { readonly type: string; readonly value: string }[];
  readonly conditions: readonly ConditionText[];
  readonly listeners: readonly ListenerStatus[];
}

interface ListenerStatus {
  readonly name: string;
  readonly attachedRoutes: number;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  readonly conditions: readonly ConditionText[];
}

type Listener = Gateway['spec']['listeners'][number];

const NAME_OVERRIDE_ANNOTATION = 'gateway.istio.io/name-override';
const HBONE_PORT = 15008;

/** Name of the Deployment and Service that a waypoint's Gateway becomes. */
export function generatedName(gateway: Gateway): string {
  return annotationsOf(gateway)[NAME_OVERRIDE_ANNOTATION] || nameOf(gateway);
}

export function deriveGatewayStatus(
  gateway: Gateway,
  state: Pick<ClusterState, 'Service' | 'Pod'>,
  mesh: MeshSettings,
): DerivedGatewayStatus {
  const assignment = assign(gateway, state, mesh);
  const listeners = gateway.spec.listeners.map(listenerStatus);
  const addresses = assignment.ok ? assignment.addresses : (gateway.status?.addresses ?? []);
  return {
    // Bindings stay put when a waypoint's pods come and go: addresses, once set, are not taken away.
    addresses: addresses.map(({ type = 'IPAddress', value = '' }) => ({ type, value })),
    conditions: [
      condition('Accepted', 'True', 'Accepted', 'Resource accepted'),
      assignment.condition,
      condition('ResolvedRefs', 'True', 'ResolvedRefs', 'All references resolved'),
    ],
    listeners,
  };
}

type Assignment =
  | {
      readonly ok: true;
      readonly addresses: readonly { readonly type: string; readonly value: string }[];
      readonly condition: ConditionText;
    }
  | { readonly ok: false; readonly condition: ConditionText };

function assign(
  gateway: Gateway,
  state: Pick<ClusterState, 'Service' | 'Pod'>,
  mesh: MeshSettings,
): Assignment {
  const namespace = namespaceOf(gateway);
  const name = generatedName(gateway);
  const hostname = serviceHostname(mesh, namespace, name);
  const service = state.Service.get(namespace, name);
  if (service === undefined) return failed('AddressNotUsable', `hostname "${hostname}" not found`);
  const ports = [...new Set(gateway.spec.listeners.map(({ port }) => port))].toSorted(
    (a, b) => a - b,
  );
  const missing = ports.find((port) => !service.spec?.ports?.some((own) => own.port === port));
  if (missing !== undefined) {
    return failed('AddressNotUsable', `port ${missing} not found for hostname "${hostname}"`);
  }
  if (!hasInstance(service, state.Pod.inNamespace(namespace))) {
    return failed('AddressNotAssigned', `no instances found for hostname "${hostname}"`);
  }
  const assigned = ports.map((port) => `${hostname}:${port}`).join(',');
  return {
    ok: true,
    addresses: [
      { type: 'IPAddress', value: clusterAddress(service) },
      { type: 'Hostname', value: hostname },
    ],
    condition: condition(
      'Programmed',
      'True',
      'Programmed',
      `Resource programmed, assigned to service(s) ${assigned}`,
    ),
  };
}

function failed(reason: string, problem: string): Assignment {
  const message = `Failed to assign to any requested addresses: ${problem}`;
  return { ok: false, condition: condition('Programmed', 'False', reason, message) };
}

/** A pod that is not ready will do: the binding must not wait for it. */
function hasInstance(service: Service, pods: readonly Pod[]): boolean {
  return pods.some(
    (pod) => selectsPod(service, labelsOf(pod)) && !isTerminal(pod) && podAddresses(pod).length > 0,
  );
}

/** As recorded: a headless Service gives 0.0.0.0. */
function clusterAddress(service: Service): string {
  const address = service.spec?.clusterIP ?? '';
  return address === '' || address === 'None' ? '0.0.0.0' : address;
}

const NO_ERRORS = 'No errors found';

function listenerStatus(listener: Listener): ListenerStatus {
  const isHbone = listener.protocol === 'HBONE' && listener.port === HBONE_PORT;
  const accepted = isHbone
    ? condition('Accepted', 'True', 'Accepted', NO_ERRORS)
    : condition(
        'Accepted',
        'False',
        'UnsupportedProtocol',
        'Expected a single listener on port 15008 with protocol "HBONE"',
      );
  return {
    name: listener.name,
    attachedRoutes: 0,
    supportedKinds: supportedKinds(listener.protocol),
    conditions: [
      accepted,
      condition('Conflicted', 'False', 'NoConflicts', NO_ERRORS),
      condition('Programmed', 'True', 'Programmed', NO_ERRORS),
      condition('ResolvedRefs', 'True', 'ResolvedRefs', NO_ERRORS),
    ],
  };
}

function supportedKinds(protocol: string): ListenerStatus['supportedKinds'] {
  const kinds: Readonly<Record<string, readonly string[]>> = {
    HTTP: ['HTTPRoute', 'GRPCRoute'],
    HTTPS: ['HTTPRoute', 'GRPCRoute'],
    TLS: ['TLSRoute'],
    TCP: ['TCPRoute'],
  };
  return (kinds[protocol] ?? []).map((kind) => ({ group: 'gateway.networking.k8s.io', kind }));
}

function condition(
  type: string,
  status: ConditionText['status'],
  reason: string,
  message: string,
): ConditionText {
  return { type, status, reason, message };
}
