import type { Gateway, Namespace, Service } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { SETTINGS } from './derivation.fixture.ts';
import { meshServiceOf } from './mesh-service.ts';
import { deriveService } from './services.ts';
import { deriveWaypoint } from './waypoints.ts';

/** Bindings that the recordings 13 to 17 do not show. */
const HBONE = { name: 'mesh', port: 15008, protocol: 'HBONE' };

interface Given {
  /** Of the Service. */
  readonly labels?: object;
  readonly namespaceLabels?: object;
  readonly listeners?: readonly object[];
  /** `ambient.istio.io/waypoint-inbound-binding` of the Gateway. */
  readonly binding?: string;
  readonly address?: object;
}

const HOSTNAME = { type: 'Hostname', value: 'wp.gate.svc.cluster.local' };

function gateway({ listeners = [HBONE], binding, address = HOSTNAME }: Given): Gateway {
  const annotations = binding === undefined ? {} : { [BINDING]: binding };
  return {
    kind: 'Gateway',
    metadata: { namespace: 'gate', name: 'wp', annotations },
    spec: { gatewayClassName: 'istio-waypoint', listeners },
    status: { addresses: [address] },
  } as unknown as Gateway;
}

const BINDING = 'ambient.istio.io/waypoint-inbound-binding';
const TO_GATE = { 'istio.io/use-waypoint': 'wp', 'istio.io/use-waypoint-namespace': 'gate' };

function messageFor(given: Given): string | undefined {
  const { labels = TO_GATE, namespaceLabels = {} } = given;
  const metadata = { name: 'user', labels: namespaceLabels };
  const namespace = { kind: 'Namespace', metadata } as unknown as Namespace;
  const service = {
    kind: 'Service',
    metadata: { namespace: 'user', name: 's', labels },
    spec: { clusterIP: '10.96.0.1' },
  } as unknown as Service;
  const waypoint = deriveWaypoint(gateway(given), undefined, '');
  const waypoints = new Map(waypoint === null ? [] : [['gate/wp', waypoint]]);
  const context = { network: '', namespace, waypoints, isCanonical: true };
  return deriveService(meshServiceOf(service, SETTINGS), context)?.condition?.message;
}

function from(namespaces: object, listener: object = HBONE): object {
  return { ...listener, allowedRoutes: { namespaces } };
}

const BOUND = 'Successfully attached to waypoint gate/wp';
const DENIED = 'we are not permitted to attach to waypoint "gate/wp" (missing allowedRoutes?)';

const CASES: readonly (Given & { readonly title: string; readonly message: string })[] = [
  {
    title: 'an empty label asks for a waypoint without a name, whatever the namespace says',
    labels: { 'istio.io/use-waypoint': '' },
    namespaceLabels: { 'istio.io/use-waypoint': 'none' },
    message: 'waypoint "user/" is not ready',
  },
  {
    title: 'an empty waypoint namespace is none',
    labels: { 'istio.io/use-waypoint': 'wp', 'istio.io/use-waypoint-namespace': '' },
    message: 'waypoint "/wp" is not ready',
  },
  {
    title: 'Selector without a selector selects nobody',
    listeners: [from({ from: 'Selector' })],
    message: DENIED,
  },
  {
    title: 'an empty selector selects everybody',
    listeners: [from({ from: 'Selector', selector: {} })],
    message: BOUND,
  },
  {
    title: 'an inbound binding without a port looks at the listener of its protocol',
    binding: 'PROXY',
    listeners: [HBONE, from({ from: 'All' }, { name: 'p', port: 1, protocol: 'istio.io/PROXY' })],
    message: BOUND,
  },
  {
    title: 'an inbound binding NONE without a port has no listener of its own',
    binding: 'NONE',
    listeners: [HBONE, from({ from: 'All' }, { name: 'h', port: 80, protocol: 'HTTP' })],
    message: DENIED,
  },
  {
    title: 'what is no port in an inbound binding counts as none',
    binding: 'PROXY/x',
    listeners: [HBONE, from({ from: 'All' }, { name: 'p', port: 1, protocol: 'istio.io/PROXY' })],
    message: BOUND,
  },
  {
    title: 'an address that leads nowhere makes a waypoint all the same',
    address: { type: 'NamedAddress', value: 'somewhere' },
    listeners: [from({ from: 'All' })],
    message: BOUND,
  },
];

test.for(CASES)('$title', ({ message, ...given }) => {
  expect(messageFor(given)).toBe(message);
});
