import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ClusterApi, startClusterApi } from '../../../../test/fixtures/cluster-api.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const THINGS = '/apis/attack.example/v1/namespaces/default/things';
const MERGE = 'application/merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';
const STRATEGIC = 'application/strategic-merge-patch+json';
let api: ClusterApi;

beforeAll(async () => {
  api = await startClusterApi();
  const schema = {
    type: 'object',
    properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
  };
  await api.send('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    body: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'things.attack.example' },
      spec: {
        group: 'attack.example',
        scope: 'Namespaced',
        names: { plural: 'things', kind: 'Thing' },
        versions: [
          { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } },
        ],
      },
    },
  });
});

afterAll(() => api[Symbol.asyncDispose]());

function configMap(name: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...more };
}

async function openWatch(path: string, accept = 'application/json'): Promise<IncomingMessage> {
  const { users } = parse(api.server.kubeconfig()) as { users: { user: Record<string, string> }[] };
  const pem = (field: string) => Buffer.from(users[0]?.user[field] ?? '', 'base64').toString();
  const [cert, key] = [pem('client-certificate-data'), pem('client-key-data')];
  const options = { ca: api.server.caPem, cert, key, headers: { accept }, agent: false } as const;
  const request: ClientRequest = get(
    `${api.server.url}${path}${path.includes('?') ? '&' : '?'}watch=1`,
    options,
  );
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

test('a field with the name of what every object has is unknown like any other', async () => {
  const watch = await openWatch(CONFIG_MAPS, 'application/vnd.kubernetes.protobuf');
  const body = configMap('inherited', { constructor: { a: 1 }, toString: 'x' });
  const created = await api.send('POST', CONFIG_MAPS, { body: JSON.stringify(body) });
  expect(created.status).toBe(201);
  expect(Object.keys(created.body)).not.toContain('constructor');
  expect(created.warnings).toEqual([
    '299 - "unknown field \\"constructor\\""',
    '299 - "unknown field \\"toString\\""',
  ]);
  // The event reaches a watcher whose form of objects has no place for such a field.
  let seen = Buffer.of();
  for await (const chunk of watch as AsyncIterable<Buffer>) {
    seen = Buffer.concat([seen, chunk]);
    if (seen.includes('inherited')) break;
  }
  expect(seen.includes('inherited')).toBe(true);
});

test('labels and data may have such names', async () => {
  const metadata = { name: 'named', labels: { constructor: 'x' } };
  const body = { ...configMap('named', { data: { constructor: 'c', toString: 't' } }), metadata };
  await api.send('POST', CONFIG_MAPS, { body });
  const patch = { data: { hasOwnProperty: 'h', valueOf: 'v' } };
  for (const contentType of [MERGE, STRATEGIC]) {
    const patched = await api.send('PATCH', `${CONFIG_MAPS}/named`, { body: patch, contentType });
    expect(patched.body.data).toEqual({ constructor: 'c', toString: 't', ...patch.data });
  }
  const found = await api.send('GET', `${CONFIG_MAPS}?labelSelector=constructor`);
  expect(found.body.items).toHaveLength(1);
  const refused = await api.send('GET', `${CONFIG_MAPS}?labelSelector=a%20constructor%20(b)`);
  expect(refused.status).toBe(400);
});

function nested(levels: number): string {
  return `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
}

const thing = (spec: string): string =>
  `{"apiVersion":"attack.example/v1","kind":"Thing","metadata":{"generateName":"t"},"spec":${spec}}`;

test.for([
  { what: 'goes a million levels deep', body: `${'['.repeat(1_000_000)}`, says: 'decoding' },
  { what: 'goes deeper than can be stored', body: thing(nested(2_000)), says: 'max depth' },
  { what: 'has a key "__proto__"', body: thing('{"__proto__":{}}'), says: '__proto__' },
  { what: 'is deep YAML', type: 'application/yaml', body: '['.repeat(100_000), says: 'maxDepth' },
  {
    what: 'is YAML that multiplies by aliases',
    type: 'application/yaml',
    body: `a0: &a0 [${'x,'.repeat(20)}]\n${Array.from({ length: 9 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at},`.repeat(9)}]`).join('\n')}`,
    says: 'values are read',
  },
])('a body that $what is refused', async ({ body, type, says }) => {
  const answer = await api.send('POST', THINGS, { body, contentType: type ?? 'application/json' });
  expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining(says) } });
});

test('YAML with many keys is read in a moment', async () => {
  const spec = Array.from({ length: 20_000 }, (_, at) => `  k${at}: v`).join('\n');
  const body = `apiVersion: attack.example/v1\nkind: Thing\nspec:\n${spec}\n`;
  const since = process.cpuUsage();
  const answer = await api.send('POST', THINGS, { body, contentType: 'application/yaml' });
  expect(answer.body.message).toContain('name or generateName is required');
  expect(process.cpuUsage(since).user).toBeLessThan(3e6);
});

test.for([
  { what: 'null', contentType: MERGE, body: 'null' },
  { what: 'a list', contentType: MERGE, body: '[1]' },
  { what: 'no bytes', contentType: MERGE, body: '' },
  { what: 'a removal of everything', contentType: JSON_PATCH, body: '[{"op":"remove","path":""}]' },
  { what: 'a number', contentType: JSON_PATCH, body: '[{"op":"replace","path":"","value":5}]' },
  { what: 'another kind', contentType: MERGE, body: '{"kind":"Secret"}' },
  { what: 'another namespace', contentType: STRATEGIC, body: '{"metadata":{"namespace":"b"}}' },
])(
  'a patch that makes $what of an object is refused, and the object stays',
  async ({ body, contentType }) => {
    const path = `${CONFIG_MAPS}/patched`;
    await api.send('POST', CONFIG_MAPS, { body: configMap('patched', { data: { a: 'b' } }) });
    expect((await api.send('PATCH', path, { body, contentType })).status).toBe(400);
    expect((await api.send('GET', path)).body.data).toEqual({ a: 'b' });
  },
);

test('a JSON patch cannot double an object without end', async () => {
  const { body } = await api.send('POST', THINGS, { body: thing('{"a":{"b":"0123456789"}}') });
  const path = `${THINGS}/${body.metadata.name}`;
  const copies = Array.from({ length: 40 }, (_, at) => ({
    op: 'copy',
    from: '/spec/a',
    path: `/spec/a/c${at}`,
  }));
  const answer = await api.send('PATCH', path, { body: copies, contentType: JSON_PATCH });
  expect(answer.status).toBe(413);
  const many = Array.from({ length: 10_001 }, () => ({
    op: 'test',
    path: '/kind',
    value: 'Thing',
  }));
  const refused = await api.send('PATCH', path, { body: many, contentType: JSON_PATCH });
  expect(refused.body.message).toContain('allowed maximum operations in a JSON patch is 10000');
});

test('an object cannot grow beyond what etcd takes', async () => {
  const { body } = await api.send('POST', THINGS, { body: thing('{}') });
  const path = `${THINGS}/${body.metadata.name}`;
  const grow = (key: string) =>
    api.send('PATCH', path, { body: { spec: { [key]: 'x'.repeat(800_000) } }, contentType: MERGE });
  expect((await grow('first')).status).toBe(200);
  const { status, body: refused } = await grow('second');
  expect({ status, message: refused.message }).toEqual({
    status: 500,
    message: 'etcdserver: request is too large',
  });
});

test.for([
  {
    what: 'a time that is none',
    managedFields: [{ manager: 'a', operation: 'Update', time: 'x' }],
  },
  { what: 'an hour that is none', managedFields: [{ time: '2026-01-01T99:00:00Z' }] },
])('$what is refused', async ({ managedFields }) => {
  const body = { ...configMap('timed'), metadata: { name: 'timed', managedFields } };
  const answer = await api.send('POST', CONFIG_MAPS, { body });
  expect(answer.status).toBe(400);
  expect(answer.body.message).toContain('parsing time');
});

test('numbers that their fields cannot hold are refused', async () => {
  const service = (port: unknown) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'numbers' },
    spec: { ports: [{ port: 80, targetPort: port }] },
  });
  const path = '/api/v1/namespaces/default/services';
  const limits = { cpu: 2, memory: 8_589_934_592 };
  const pod = { containers: [{ name: 'a', image: 'pause', resources: { limits } }] };
  const pods = '/api/v1/namespaces/default/pods';
  const large = await api.send('POST', pods, { body: { metadata: { name: 'large' }, spec: pod } });
  expect(large.body.spec.containers[0].resources.limits).toEqual({
    cpu: '2',
    memory: '8589934592',
  });
  for (const port of [1.5, 2 ** 40]) {
    expect((await api.send('POST', path, { body: service(port) })).status).toBe(400);
  }
});

test('bytes are base64, in one line or more', async () => {
  const path = '/api/v1/namespaces/default/secrets';
  const secret = (value: string) => ({ metadata: { name: 'bytes' }, data: { value } });
  expect((await api.send('POST', path, { body: secret('a*b') })).status).toBe(400);
  const { body } = await api.send('POST', path, { body: secret('YWJj\nZGVm\n') });
  expect(body.data.value).toBe('YWJjZGVm');
});

test('warnings of one answer are no longer than clients read', async () => {
  const typos = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`ü${at}`, 1]));
  const { status, warnings } = await api.send('POST', CONFIG_MAPS, {
    body: configMap('typos', typos),
  });
  expect(status).toBe(201);
  expect(warnings[0]).toBe('299 - "unknown field \\"?0\\""');
  expect(warnings.join('').length).toBeLessThan(4_200);
});

test.for([
  'limit=x',
  'continue=AAAA',
  'continue=bnVsbA',
  'watch=1&timeoutSeconds=1h',
  'watch=1&resourceVersion=0x1',
])('a list with %s is refused', async (query) => {
  expect((await api.send('GET', `${CONFIG_MAPS}?${query}`)).status).toBe(400);
});

test.for([
  { options: { propagationPolicy: 'constructor' }, status: 422 },
  { options: { gracePeriodSeconds: 'soon' }, status: 400 },
  { options: { preconditions: 'x' }, status: 400 },
  { options: [], status: 400 },
])('a deletion with $options is refused', async ({ options: body, status }) => {
  await api.send('POST', CONFIG_MAPS, { body: configMap('kept') });
  expect((await api.send('DELETE', `${CONFIG_MAPS}/kept`, { body })).status).toBe(status);
  expect((await api.send('GET', `${CONFIG_MAPS}/kept`)).status).toBe(200);
});

test('a scale is patched in every form, and not when it is another than the client has seen', async () => {
  const path = '/apis/apps/v1/namespaces/default/deployments';
  const labels = { app: 'scaled' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'pause' }] } };
  const spec = { replicas: 1, selector: { matchLabels: labels }, template };
  await api.send('POST', path, { body: { metadata: { name: 'scaled' }, spec } });
  const scale = `${path}/scaled/scale`;
  const operations = [{ op: 'replace', path: '/spec/replicas', value: 3 }];
  const patched = await api.send('PATCH', scale, { body: operations, contentType: JSON_PATCH });
  expect(patched.body.spec.replicas).toBe(3);
  const stale = { metadata: { name: 'scaled', resourceVersion: '1' }, spec: { replicas: 5 } };
  expect((await api.send('PUT', scale, { body: stale })).status).toBe(409);
  const half = { spec: { replicas: 1.5 } };
  expect((await api.send('PATCH', scale, { body: half, contentType: MERGE })).status).toBe(422);
});

test('watches that begin together, that end, and that nobody reads leave room for others', async () => {
  const namespace = '/api/v1/namespaces/many/configmaps';
  await api.send('POST', '/api/v1/namespaces', { body: { metadata: { name: 'many' } } });
  const create = (name: string) =>
    api.send('POST', namespace, { body: configMap(name, { data: { text: 'x'.repeat(700_000) } }) });
  for (let at = 0; at < 12; at++) await create(`large-${at}`);
  const since = performance.now();
  const unread = await openWatch(`${namespace}?timeoutSeconds=1`);
  unread.on('error', () => undefined);
  const watches = await Promise.all(Array.from({ length: 20 }, () => openWatch(namespace)));
  for (const watch of watches) watch.on('error', () => undefined).pause();
  const memory = process.memoryUsage().rss;
  // Meanwhile the time of the first is up; what happens then is no news to it.
  await expect.poll(() => performance.now() - since, { timeout: 5_000 }).toBeGreaterThan(1_500);
  expect((await create('later')).status).toBe(201);
  expect(process.memoryUsage().rss - memory).toBeLessThan(200e6);
  // A client that reads gets all, in order.
  const [reader] = watches;
  let text = '';
  reader?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  reader?.resume();
  await expect.poll(() => text.match(/"name":"(large-\d+|later)","namespace"/g)?.length).toBe(13);
  expect(text.lastIndexOf('"name":"later"')).toBeGreaterThan(text.lastIndexOf('"name":"large-9"'));
  for (const watch of [unread, ...watches]) watch.destroy();
});
