/** Who may do what, over HTTP. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ClusterApi, startClusterApi } from '../../../../test/fixtures/cluster-api.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
let api: ClusterApi;

beforeAll(async () => {
  api = await startClusterApi();
});

afterAll(() => api[Symbol.asyncDispose]());

test('a service account may do what its role allows and nothing else', async () => {
  const { server } = api;
  const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
  const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['configmaps'] }];
  const group = 'rbac.authorization.k8s.io';
  await api.send('POST', `${rbac}/roles`, {
    body: { apiVersion: `${group}/v1`, kind: 'Role', metadata: { name: 'reader' }, rules },
  });
  await api.send('POST', `${rbac}/rolebindings`, {
    body: {
      apiVersion: `${group}/v1`,
      kind: 'RoleBinding',
      metadata: { name: 'reader' },
      roleRef: { apiGroup: group, kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'default' }],
    },
  });
  const token = await server.serviceAccountToken({
    namespace: 'default',
    serviceAccount: 'default',
  });
  const readable = await api.send('GET', `${CONFIG_MAPS}/kube-root-ca.crt`, { token });
  expect(readable.body.data['ca.crt']).toBe(server.caPem);
  const denied = await api.send('DELETE', `${CONFIG_MAPS}/kube-root-ca.crt`, { token });
  expect(denied.status).toBe(403);
  expect(denied.body.message).toBe(
    'configmaps "kube-root-ca.crt" is forbidden: User "system:serviceaccount:default:default" cannot delete resource "configmaps" in API group "" in the namespace "default"',
  );
  const unknown = await api.send('GET', CONFIG_MAPS, { token: `${token}x` });
  expect(unknown.status).toBe(401);
});

test('who may only look reads no Secrets, and who may edit gives nobody a role', async () => {
  const ofNamespace = '/namespaces/default';
  const rbac = `/apis/rbac.authorization.k8s.io/v1${ofNamespace}`;
  const statusOf = async (role: string, method: string, path: string, body?: object) => {
    await api.send('POST', `/api/v1${ofNamespace}/serviceaccounts`, {
      body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: role } },
    });
    await api.send('POST', `${rbac}/rolebindings`, {
      body: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: role },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects: [{ kind: 'ServiceAccount', name: role }],
      },
    });
    const account = { namespace: 'default', serviceAccount: role };
    const token = await api.server.serviceAccountToken(account);
    return (await api.send(method, path, { token, ...(body !== undefined && { body }) })).status;
  };
  const secrets = `/api/v1${ofNamespace}/secrets`;
  const deployments = `/apis/apps/v1${ofNamespace}/deployments`;
  const role = {
    ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'mine' } },
    rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }],
  };
  expect(await statusOf('view', 'GET', deployments)).toBe(200);
  expect(await statusOf('view', 'GET', secrets)).toBe(403);
  expect(await statusOf('view', 'DELETE', deployments)).toBe(403);
  expect(await statusOf('edit', 'GET', secrets)).toBe(200);
  expect(await statusOf('edit', 'DELETE', deployments)).toBe(200);
  expect(await statusOf('edit', 'POST', `${rbac}/roles`, role)).toBe(403);
  expect(await statusOf('admin', 'POST', `${rbac}/roles`, role)).toBe(201);
});

test('a token is reviewed for its audience and dies with its pod', async () => {
  const pods = { group: '', version: 'v1', plural: 'pods' };
  const { client } = api.server;
  const pod = await client.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'bound', namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'web:1' }] },
  });
  const token = await api.server.serviceAccountToken({
    namespace: 'default',
    serviceAccount: 'default',
    audiences: ['istio-ca'],
    pod: { name: 'bound', uid: pod.metadata.uid ?? '' },
  });
  const review = async (audience: string) => {
    const spec = { token, audiences: [audience] };
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec };
    const path = '/apis/authentication.k8s.io/v1/tokenreviews';
    return (await api.send('POST', path, { body })).body.status;
  };
  expect(await review('istio-ca')).toMatchObject({
    authenticated: true,
    audiences: ['istio-ca'],
    user: {
      username: 'system:serviceaccount:default:default',
      extra: { 'authentication.kubernetes.io/pod-name': ['bound'] },
    },
  });
  expect(await review('other')).not.toHaveProperty('authenticated');
  await client.delete(pods, { name: 'bound', namespace: 'default' }, { gracePeriodSeconds: 0 });
  expect(await review('istio-ca')).not.toHaveProperty('authenticated');
});
