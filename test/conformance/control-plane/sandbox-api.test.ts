import type { ControlPlane } from '@aquifer/control-plane';
import { KubernetesApi, startControlPlane } from '@aquifer/control-plane';
import type { Workload } from '@aquifer/model';
import type {
  Gateway,
  GRPCRoute,
  HTTPRoute,
  Pod,
  Service,
  ServiceEntry,
  ValidatingWebhookConfiguration,
  WorkloadEntry,
} from '@aquifer/model/resources';
import { createLogger } from '@aquifer/runtime';
import { grpcMethods } from '@aquifer/wire';
import {
  CaptureReportRequestSchema,
  type CaptureReportSchema,
  CaptureState,
  NodeService,
} from '@aquifer/wire/gen/aquifer/node_pb';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callControlPlane } from '../../fixtures/control-plane.ts';
import {
  controlPlaneConfig,
  type DeployedCluster,
  startDeployedCluster,
} from '../../fixtures/deployed-cluster.ts';
import { eventually } from '../../fixtures/eventually.ts';

/**
 * The control plane against the sandbox's API server, with the rights that deploy/control-plane.yaml gives it and no
 * others.
 */
const logs: string[] = [];
const GATEWAYS = '/apis/gateway.networking.k8s.io/v1/namespaces/shop/gateways';
const VALIDATOR =
  '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/istio-validator-istio-system';
let cluster: DeployedCluster;
let admin: KubernetesApi;
let plane: ControlPlane;

beforeAll(async () => {
  cluster = await startDeployedCluster();
  ({ admin } = cluster);
  const labels = { 'istio.io/use-waypoint': 'waypoint' };
  await admin.create('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', labels },
  });
  plane = await startControlPlane({
    config: controlPlaneConfig(),
    api: KubernetesApi.fromKubeconfig(await cluster.controlPlaneKubeconfig()),
    log: createLogger('test', { format: 'plain', write: (line) => logs.push(line) }),
  });
  await eventually(() => plane.publisher.current !== null);
}, 30_000);

afterAll(async () => {
  await plane.stop();
  await cluster.stop();
});

function conditionOf(
  conditions: readonly { type: string; status: string; reason?: string | undefined }[] | undefined,
  type: string,
): string | undefined {
  const found = conditions?.find((condition) => condition.type === type);
  return found && `${found.status} ${found.reason}`;
}

test('the root certificate reaches every namespace, also one that comes later, and is restored', async () => {
  const path = (namespace: string) =>
    `/api/v1/namespaces/${namespace}/configmaps/istio-ca-root-cert`;
  await eventually(() => admin.get(path('shop')));
  // With the rights that it has, it also writes down which roots are trusted.
  const kept = '/api/v1/namespaces/istio-system/secrets/istio-ca-trusted-roots';
  await eventually(() => admin.get(kept));
  // And tells the API server by which roots it is known.
  const asked = await eventually(async () => {
    const found = await admin.get<ValidatingWebhookConfiguration>(VALIDATOR);
    return found?.webhooks?.[0]?.clientConfig.caBundle;
  });
  expect(Buffer.from(asked, 'base64').toString()).toBe(plane.rootBundle);
  await admin.create('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'later' },
  });
  await eventually(() => admin.get(path('later')));
  await admin.mergePatch(path('later'), { data: { 'root-cert.pem': 'overwritten' } });
  const restored = await eventually(async () => {
    const map = await admin.get<{ data: Record<string, string> }>(path('later'));
    const text = map?.data['root-cert.pem'];
    return text === 'overwritten' ? null : text;
  });
  expect(restored).toMatch(/^-----BEGIN CERTIFICATE-----/);
});

test('a waypoint Gateway becomes a Deployment, and Programmed once a pod of it has an address', async () => {
  await admin.create(GATEWAYS, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'waypoint', namespace: 'shop' },
    spec: {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
    },
  });
  const deployment = '/apis/apps/v1/namespaces/shop/deployments/waypoint';
  await eventually(() => admin.get(deployment));
  await eventually(() => admin.get('/api/v1/namespaces/shop/services/waypoint'));
  await eventually(() => admin.get('/api/v1/namespaces/shop/serviceaccounts/waypoint'));
  const gateway = () => admin.get<Gateway>(`${GATEWAYS}/waypoint`);
  await eventually(async () => {
    const programmed = conditionOf((await gateway())?.status?.conditions, 'Programmed');
    return programmed === 'False AddressNotAssigned';
  });
  await createWaypointPod();
  const ready = await eventually(async () => {
    const found = await gateway();
    return conditionOf(found?.status?.conditions, 'Programmed') === 'True Programmed'
      ? found
      : null;
  });
  expect(ready.status?.addresses).toMatchObject([
    { type: 'IPAddress' },
    { type: 'Hostname', value: 'waypoint.shop.svc.cluster.local' },
  ]);
});

async function createWaypointPod(): Promise<void> {
  const pods = '/api/v1/namespaces/shop/pods';
  const labels = { 'gateway.networking.k8s.io/gateway-name': 'waypoint' };
  await admin.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'waypoint-1', namespace: 'shop', labels },
    spec: { nodeName: 'n1', containers: [{ name: 'istio-proxy', image: 'aquifer/waypoint:dev' }] },
  });
  const status = { phase: 'Running', podIP: '10.1.1.1', podIPs: [{ ip: '10.1.1.1' }] };
  await admin.mergePatch(`${pods}/waypoint-1/status`, { status });
}

test('a Service says when it is bound to the waypoint, and stops saying so', async () => {
  const services = '/api/v1/namespaces/shop/services';
  await admin.create(services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80 }] },
  });
  const bound = async () => {
    const service = await admin.get<Service>(`${services}/web`);
    return conditionOf(service?.status?.conditions, 'istio.io/WaypointBound') ?? 'absent';
  };
  await expect.poll(bound).toBe('True WaypointAccepted');
  await admin.mergePatch(`${services}/web`, {
    metadata: { labels: { 'istio.io/use-waypoint': 'none' } },
  });
  await expect.poll(bound).toBe('absent');
});

test('a ServiceEntry is given addresses and says what it is bound to; so does a WorkloadEntry', async () => {
  const entries = '/apis/networking.istio.io/v1/namespaces/shop/serviceentries';
  await admin.create(entries, {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name: 'bank', namespace: 'shop' },
    spec: {
      hosts: ['bank.example.com'],
      resolution: 'DNS',
      ports: [{ number: 443, name: 'tls', protocol: 'TLS' }],
    },
  });
  const said = async () => {
    const { status } = (await admin.get<ServiceEntry>(`${entries}/bank`)) ?? {};
    const hosts = status?.addresses?.map(({ host }) => host);
    return [hosts, conditionOf(status?.conditions, 'istio.io/WaypointBound')];
  };
  const hosts = ['bank.example.com', 'bank.example.com'];
  await expect.poll(said).toEqual([hosts, 'True WaypointAccepted']);
  await admin.mergePatch(`${entries}/bank`, { spec: { addresses: ['192.0.2.1'] } });
  await expect.poll(said).toEqual([[], 'True WaypointAccepted']);
  const workloads = '/apis/networking.istio.io/v1/namespaces/shop/workloadentries';
  await admin.create(workloads, {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: { name: 'vm', namespace: 'shop', labels: { 'istio.io/use-waypoint': 'ghost' } },
    spec: { address: '192.0.2.2' },
  });
  const bound = async () => {
    const { status } = (await admin.get<WorkloadEntry>(`${workloads}/vm`)) ?? {};
    return conditionOf(status?.conditions, 'istio.io/WaypointBound');
  };
  await expect.poll(bound).toBe('False WaypointIsNotReady');
});

test('routes and policies get their statuses', async () => {
  const routes = '/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes';
  await admin.create(routes, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: 'web', port: 80 }],
      rules: [{ backendRefs: [{ name: 'missing', port: 80 }] }],
    },
  });
  const resolved = async () => {
    const [parent] = (await admin.get<HTTPRoute>(`${routes}/web`))?.status?.parents ?? [];
    return conditionOf(parent?.conditions, 'ResolvedRefs');
  };
  await expect.poll(resolved).toBe('False BackendNotFound');
  const calls = '/apis/gateway.networking.k8s.io/v1/namespaces/shop/grpcroutes';
  await admin.create(calls, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GRPCRoute',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'web', port: 80 }], rules: [{}] },
  });
  const accepted = async () => {
    const [parent] = (await admin.get<GRPCRoute>(`${calls}/web`))?.status?.parents ?? [];
    return conditionOf(parent?.conditions, 'Accepted');
  };
  await expect.poll(accepted).toBe('True Accepted');
  const policies = '/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies';
  await admin.create(policies, {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'get-only', namespace: 'shop' },
    spec: { rules: [{ to: [{ operation: { methods: ['GET'] } }] }] },
  });
  const judged = async () => {
    const policy = await admin.get<Service>(`${policies}/get-only`);
    return conditionOf(policy?.status?.conditions, 'ZtunnelAccepted');
  };
  await expect.poll(judged, { timeout: 5000 }).toBe('True UnsupportedValue');
});

test('a capture report with a real pod token becomes annotation, condition and HBONE, until it is released', async () => {
  await admin.create('/api/v1/namespaces/istio-system/serviceaccounts', {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'ztunnel', namespace: 'istio-system' },
  });
  const ztunnel = await createPod('istio-system', 'ztunnel-1', { serviceAccountName: 'ztunnel' });
  const app = await createPod('shop', 'app', {});
  const token = await cluster.server.serviceAccountToken({
    namespace: 'istio-system',
    serviceAccount: 'ztunnel',
    audiences: ['istio-ca'],
    pod: { name: 'ztunnel-1', uid: ztunnel.metadata.uid ?? '' },
  });
  const known = (name: string) => plane.publisher.current?.served.addresses.has(name);
  await eventually(
    () => known('Kubernetes//Pod/shop/app') && known('Kubernetes//Pod/istio-system/ztunnel-1'),
  );
  const report = {
    uid: app.metadata.uid ?? '',
    namespace: 'shop',
    name: 'app',
    reason: '',
  } as const;
  await send({ ...report, state: CaptureState.CAPTURED }, token);
  const captured = async () => {
    const pod = await admin.get<Pod>('/api/v1/namespaces/shop/pods/app');
    const annotation = pod?.metadata.annotations?.['ambient.istio.io/redirection'];
    return [annotation, conditionOf(pod?.status?.conditions, 'ambient.istio.io/Captured')];
  };
  expect(await captured()).toEqual(['enabled', 'True Captured']);
  const protocol = () => {
    const workload = plane.publisher.current?.served.addresses.get('Kubernetes//Pod/shop/app');
    return (workload?.value as Workload | undefined)?.protocol;
  };
  await expect.poll(protocol).toBe('hbone');
  await send({ ...report, state: CaptureState.RELEASED }, token);
  expect(await captured()).toEqual([undefined, undefined]);
  await expect.poll(protocol).toBe('tcp');
});

function send(
  report: MessageInitShape<typeof CaptureReportSchema>,
  token: string,
): Promise<unknown> {
  const request = create(CaptureReportRequestSchema, { node: 'n1', reports: [report] });
  return callControlPlane(plane, grpcMethods(NodeService).reportCapture, request, token);
}

async function createPod(namespace: string, name: string, spec: object): Promise<Pod> {
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const pod = await admin.create<Pod>(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'x' }], ...spec },
  });
  const status = { phase: 'Running', podIP: '10.1.1.9', podIPs: [{ ip: '10.1.1.9' }] };
  await admin.mergePatch(`${pods}/${name}/status`, { status });
  return pod;
}

test('nothing is written while nothing changes, and nothing was refused', async () => {
  const version = async () => {
    const list = await admin.list<{ metadata: { resourceVersion: string } }>('/api/v1/pods');
    return list.metadata.resourceVersion;
  };
  let before = await version();
  await eventually(
    async () => {
      const last = before;
      before = await version();
      return before === last;
    },
    { intervalMs: 700 },
  );
  expect(logs.filter((line) => /\twarn\t|\terror\t/.test(line))).toEqual([]);
});
