import type { ControlPlane } from '@aquifer/control-plane';
import { KubernetesApi, startControlPlane } from '@aquifer/control-plane';
import type { Service } from '@aquifer/model/resources';
import { createLogger } from '@aquifer/runtime';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  controlPlaneConfig,
  type DeployedCluster,
  startDeployedCluster,
} from '../../fixtures/deployed-cluster.ts';
import { eventually } from '../../fixtures/eventually.ts';

/** With the rights that deploy/control-plane.yaml gives, as in sandbox-api.test.ts. */
const logs: string[] = [];
let cluster: DeployedCluster;
let admin: KubernetesApi;
let plane: ControlPlane;

beforeAll(async () => {
  cluster = await startDeployedCluster();
  ({ admin } = cluster);
  await admin.create('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop' },
  });
  plane = await startControlPlane({
    config: controlPlaneConfig(),
    api: KubernetesApi.fromKubeconfig(await cluster.controlPlaneKubeconfig()),
    log: createLogger('test', { format: 'plain', write: (line) => logs.push(line) }),
  });
}, 30_000);

afterAll(async () => {
  await plane.stop();
  await cluster.stop();
});

test('a Gateway of class istio becomes a gateway, and what is attached to it says so (P133)', async () => {
  const group = 'gateway.networking.k8s.io';
  const create = (plural: string, kind: string, name: string, spec: object) =>
    admin.create(`/apis/${group}/v1/namespaces/shop/${plural}`, {
      apiVersion: `${group}/v1`,
      kind,
      metadata: { name, namespace: 'shop' },
      spec,
    });
  await create('gateways', 'Gateway', 'front', {
    gatewayClassName: 'istio',
    listeners: [{ name: 'web', port: 80, protocol: 'HTTP' }],
    allowedListeners: { namespaces: { from: 'Same' } },
  });
  const parentRef = { group, kind: 'Gateway', name: 'front' };
  await create('listenersets', 'ListenerSet', 'more', {
    parentRef,
    listeners: [{ name: 'secure', port: 8443, protocol: 'TLS', tls: { mode: 'Passthrough' } }],
  });
  const backendRefs = [{ name: 'nothing', port: 443 }];
  const rules = [{ backendRefs }];
  const inSet = [{ group, kind: 'ListenerSet', name: 'more' }];
  const hostnames = ['a.test'];
  await create('tlsroutes', 'TLSRoute', 'secure', {
    parentRefs: inSet,
    hostnames,
    rules,
  });
  await create('tcproutes', 'TCPRoute', 'bytes', { parentRefs: [parentRef], rules });
  await create('httproutes', 'HTTPRoute', 'pages', {
    parentRefs: [parentRef],
    rules,
  });
  await create('backendtlspolicies', 'BackendTLSPolicy', 'nothing', {
    targetRefs: [{ group: '', kind: 'Service', name: 'nothing' }],
    validation: { hostname: 'nothing.test', wellKnownCACertificates: 'System' },
  });
  await eventually(() => admin.get('/apis/apps/v1/namespaces/shop/deployments/front-istio'));
  const ports = async () => {
    const service = await admin.get<Service>('/api/v1/namespaces/shop/services/front-istio');
    return service?.spec?.ports?.map(({ port }) => port);
  };
  await expect.poll(ports).toEqual([15_021, 80, 8443]);
  const saying = async (plural: string, name: string, type: string) => {
    const path = `/apis/${group}/v1/namespaces/shop/${plural}/${name}`;
    const { status } = (await admin.get<{ status?: Said }>(path)) ?? {};
    const [said = status] = status?.parents ?? status?.ancestors ?? [];
    const found = said?.conditions?.find((condition) => condition.type === type);
    return found && `${found.status} ${found.reason}`;
  };
  await expect.poll(() => saying('gateways', 'front', 'Accepted')).toBe('True Accepted');
  await expect.poll(() => saying('listenersets', 'more', 'Accepted')).toBe('True Accepted');
  await expect.poll(() => saying('tlsroutes', 'secure', 'Accepted')).toBe('True Accepted');
  const kinds = 'False NotAllowedByListeners';
  await expect.poll(() => saying('tcproutes', 'bytes', 'Accepted')).toBe(kinds);
  const missing = 'False BackendNotFound';
  await expect.poll(() => saying('httproutes', 'pages', 'ResolvedRefs')).toBe(missing);
  await expect
    .poll(() => saying('backendtlspolicies', 'nothing', 'Accepted'))
    .toBe('False TargetNotFound');
  expect(logs.filter((line) => /\twarn\t|\terror\t/.test(line))).toEqual([]);
});

interface Conditioned {
  readonly conditions?: readonly { type: string; status: string; reason?: string }[];
}

interface Said extends Conditioned {
  readonly parents?: readonly Conditioned[];
  readonly ancestors?: readonly Conditioned[];
}
