import { type ControlPlane, KubernetesApi, startControlPlane } from '@aquifer/control-plane';
import type { Deployment, Gateway, GatewayClass, Service } from '@aquifer/model/resources';
import { createLogger } from '@aquifer/runtime';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  controlPlaneConfig,
  type DeployedCluster,
  startDeployedCluster,
} from '../../fixtures/deployed-cluster.ts';
import { eventually } from '../../fixtures/eventually.ts';

/** What users lay over waypoints by ConfigMaps, with the rights of deploy/control-plane.yaml. */
const NAMESPACE = '/api/v1/namespaces/shop';
const MAPS = `${NAMESPACE}/configmaps`;
const GATEWAYS = '/apis/gateway.networking.k8s.io/v1/namespaces/shop/gateways';
const CLASSES = '/apis/gateway.networking.k8s.io/v1/gatewayclasses';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/shop/deployments';
const AUTOSCALERS = '/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers';
const BUDGETS = '/apis/policy/v1/namespaces/shop/poddisruptionbudgets';
let cluster: DeployedCluster;
let admin: KubernetesApi;
let plane: ControlPlane;

beforeAll(async () => {
  cluster = await startDeployedCluster();
  ({ admin } = cluster);
  const metadata = { name: 'shop' };
  await admin.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata });
  plane = await startControlPlane({
    config: controlPlaneConfig(),
    api: KubernetesApi.fromKubeconfig(await cluster.controlPlaneKubeconfig()),
    log: createLogger('test', { format: 'plain', write: () => undefined }),
  });
  await eventually(() => plane.publisher.current !== null);
}, 30_000);

afterAll(async () => {
  await plane.stop();
  await cluster.stop();
});

type Data = Readonly<Record<string, string>>;

async function putMap(name: string, data: Data, { namespace = 'shop', labels = {} } = {}) {
  const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`;
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data };
  await admin.apply(path, body, 'test');
}

async function createGateway(name: string, infrastructure: object, className = 'istio-waypoint') {
  await admin.create(GATEWAYS, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name, namespace: 'shop' },
    spec: {
      gatewayClassName: className,
      listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }],
      infrastructure,
    },
  });
}

const parametersRef = (name: string) => ({ parametersRef: { group: '', kind: 'ConfigMap', name } });
const deployment = (name: string) => admin.get<Deployment>(`${DEPLOYMENTS}/${name}`);

/** `status reason`, once it is none of `before`. */
function accepted(name: string, wanted: string): Promise<string> {
  return eventually(async () => {
    const conditions = (await admin.get<Gateway>(`${GATEWAYS}/${name}`))?.status?.conditions;
    const found = conditions?.find(({ type }) => type === 'Accepted');
    return `${found?.status} ${found?.reason}` === wanted ? found?.message : null;
  });
}

test('a ConfigMap that a Gateway names lies over its objects, and adds an autoscaler and a budget, which go with their sections (P135)', async () => {
  const sections = {
    deployment: 'spec: { replicas: 2, template: { spec: { priorityClassName: high } } }',
    service: 'spec: { externalTrafficPolicy: null, sessionAffinity: ClientIP }',
    serviceAccount: 'metadata: { annotations: { role: edge } }',
  };
  const onDemand = {
    horizontalPodAutoscaler: 'spec: { minReplicas: 2, maxReplicas: 4 }',
    podDisruptionBudget: 'spec: { minAvailable: 1 }',
  };
  await putMap('sizes', { ...sections, ...onDemand });
  await createGateway('overlaid', parametersRef('sizes'));
  const made = await eventually(() => deployment('overlaid'));
  expect(made.spec).toMatchObject({
    replicas: 2,
    template: { spec: { priorityClassName: 'high' } },
  });
  const service = await eventually(() => admin.get<Service>(`${NAMESPACE}/services/overlaid`));
  expect(service.spec?.sessionAffinity).toBe('ClientIP');
  const account = await admin.get(`${NAMESPACE}/serviceaccounts/overlaid`);
  expect(account).toMatchObject({ metadata: { annotations: { role: 'edge' } } });
  const owner = [{ kind: 'Gateway', name: 'overlaid' }];
  expect(await eventually(() => admin.get(`${AUTOSCALERS}/overlaid`))).toMatchObject({
    metadata: { ownerReferences: owner },
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'overlaid' }, maxReplicas: 4 },
  });
  const matchLabels = { 'gateway.networking.k8s.io/gateway-name': 'overlaid' };
  expect(await eventually(() => admin.get(`${BUDGETS}/overlaid`))).toMatchObject({
    metadata: { ownerReferences: owner },
    spec: { selector: { matchLabels }, minAvailable: 1 },
  });
  await admin.mergePatch(`${MAPS}/sizes`, {
    data: { horizontalPodAutoscaler: null, podDisruptionBudget: null, deployment: 'spec: {}' },
  });
  await eventually(async () => (await admin.get(`${AUTOSCALERS}/overlaid`)) === null);
  await eventually(async () => (await admin.get(`${BUDGETS}/overlaid`)) === null);
  // What is no longer laid over it is taken back.
  await eventually(async () => {
    const { spec } = (await deployment('overlaid'))!;
    return spec?.replicas === 1 && spec.template.spec?.priorityClassName === undefined;
  });
});

test.for([
  { what: 'is not there', data: null, says: 'ConfigMap "shop/is-not-there" not found' },
  { what: 'has another key', data: { daemonSet: '{}' }, says: 'key "daemonSet"' },
  { what: 'renames', data: { service: 'metadata: { name: x }' }, says: 'metadata.name must not' },
  {
    what: 'the API refuses',
    data: { deployment: 'spec: { selector: { matchLabels: { app: another } } }' },
    says: 'the API server refuses Deployment',
  },
])(
  'a Gateway whose ConfigMap $what is not accepted, what was deployed stays, and all is well when it is (P135)',
  { timeout: 60_000 },
  async ({ what, data, says }) => {
    const name = what.toLowerCase().replaceAll(' ', '-');
    await putMap(name, { deployment: 'spec: { replicas: 2 }' });
    await createGateway(name, parametersRef(name));
    const before = await eventually(() => deployment(name));
    await accepted(name, 'True Accepted');
    if (data === null) await admin.delete(`${MAPS}/${name}`);
    else await putMap(name, data);
    expect(await accepted(name, 'False InvalidParameters')).toContain(says);
    const during = await deployment(name);
    expect([during?.metadata.uid, during?.metadata.generation]).toEqual([
      before.metadata.uid,
      before.metadata.generation,
    ]);
    await putMap(name, { deployment: 'spec: { replicas: 3 }' });
    await eventually(async () => (await deployment(name))?.spec?.replicas === 3, {
      timeoutMs: 20_000,
    });
    await accepted(name, 'True Accepted');
  },
);

test('a Gateway that names something else than a ConfigMap is not accepted, and nothing is deployed (P135)', async () => {
  const reference = { group: 'apps', kind: 'Deployment', name: 'x' };
  await createGateway('odd', { parametersRef: reference });
  const message = await accepted('odd', 'False InvalidParameters');
  expect(message).toContain('infrastructure.parametersRef: Deployment of apps is not read');
  expect(await deployment('odd')).toBeNull();
});

test('defaults for a class lie under what a Gateway says, the oldest of them (P135)', async () => {
  const labels = { 'gateway.istio.io/defaults-for-class': 'istio-waypoint' };
  const inSystem = { namespace: 'istio-system', labels };
  await putMap('defaults', { deployment: 'spec: { replicas: 2, minReadySeconds: 7 }' }, inSystem);
  const another = { ...labels, 'istio.io/rev': 'another' };
  await putMap(
    'of-another-revision',
    { deployment: 'spec: { replicas: 9 }' },
    { ...inSystem, labels: another },
  );
  await putMap('own', { deployment: 'spec: { replicas: 3 }' });
  await createGateway('plain', {});
  await createGateway('special', parametersRef('own'));
  const spec = async (name: string) => (await deployment(name))?.spec;
  await eventually(async () => (await spec('plain'))?.replicas === 2);
  await eventually(async () => (await spec('special'))?.replicas === 3);
  expect((await spec('special'))?.minReadySeconds).toBe(7);
  await admin.delete('/api/v1/namespaces/istio-system/configmaps/defaults');
  await eventually(
    async () =>
      (await spec('special'))?.minReadySeconds === 0 ||
      (await spec('special'))?.minReadySeconds === undefined,
  );
});

test('a class that names a ConfigMap has its Gateways made of it, and says what is wrong with it (P135)', async () => {
  const reference = { group: '', kind: 'ConfigMap', name: 'of-class', namespace: 'shop' };
  await admin.create(CLASSES, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name: 'large' },
    spec: { controllerName: 'istio.io/mesh-controller', parametersRef: reference },
  });
  const condition = async () =>
    (await admin.get<GatewayClass>(`${CLASSES}/large`))?.status?.conditions?.[0];
  await eventually(async () => (await condition())?.reason === 'InvalidParameters');
  expect((await condition())?.message).toContain('ConfigMap "shop/of-class" not found');
  await putMap('of-class', { deployment: 'spec: { replicas: 5 }' });
  await eventually(async () => (await condition())?.status === 'True');
  await createGateway('of-large', {}, 'large');
  await eventually(async () => (await deployment('of-large'))?.spec?.replicas === 5);
});

test('a label that a Gateway no longer has goes from what it became (P136)', async () => {
  await createGateway('labelled', { labels: { team: 'blue' } });
  const labels = async () => (await deployment('labelled'))?.metadata.labels ?? {};
  await eventually(async () => (await labels()).team === 'blue');
  await admin.mergePatch(`${GATEWAYS}/labelled`, { spec: { infrastructure: { labels: null } } });
  await expect.poll(labels, { timeout: 10_000 }).not.toHaveProperty('team');
});

test('a waypoint has one thread where nobody asks for more', async () => {
  await createGateway('threads', {});
  const made = await eventually(() => deployment('threads'));
  const [container] = made.spec?.template.spec?.containers ?? [];
  expect(container?.env).toContainEqual({ name: 'CONCURRENCY', value: '1' });
});
