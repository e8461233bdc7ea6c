import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type ClusterApi, startClusterApi } from '../../../../test/fixtures/cluster-api.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
let api: ClusterApi;

beforeAll(async () => {
  api = await startClusterApi();
});

afterAll(() => api[Symbol.asyncDispose]());

function configMap(name: string, data: Record<string, unknown> = {}): Record<string, unknown> {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...data };
}

test('an unknown field is dropped with a warning under Warn and refused under Strict', async () => {
  const body = configMap('typo', { dato: { a: 'b' } });
  const warned = await api.send('POST', `${CONFIG_MAPS}?fieldValidation=Warn`, { body });
  expect(warned.status).toBe(201);
  expect(warned.body).not.toHaveProperty('dato');
  expect(warned.warnings).toEqual(['299 - "unknown field \\"dato\\""']);
  const refused = await api.send('POST', `${CONFIG_MAPS}?fieldValidation=Strict`, { body });
  expect(refused.status).toBe(400);
  expect(refused.body.message).toContain('strict decoding error: unknown field "dato"');
});

test('a wrong type is refused with its field', async () => {
  const body = configMap('wrong', { data: ['a'] });
  const { status, body: answer } = await api.send('POST', CONFIG_MAPS, { body });
  expect(status).toBe(400);
  expect(answer.message).toContain('cannot unmarshal array into Go struct field ConfigMap.data');
});

test.for([
  { what: 'JSON that does not parse', path: CONFIG_MAPS, body: '{"a":', status: 400 },
  { what: 'a list instead of an object', path: CONFIG_MAPS, body: [], status: 400 },
  { what: 'another kind than the path', path: CONFIG_MAPS, body: { kind: 'Secret' }, status: 400 },
  {
    what: 'no Kubernetes protobuf',
    path: CONFIG_MAPS,
    body: 'k9s',
    status: 400,
    contentType: 'application/vnd.kubernetes.protobuf',
  },
  {
    what: 'an unknown media type',
    path: CONFIG_MAPS,
    body: 'a',
    status: 415,
    contentType: 'text/csv',
  },
  {
    what: 'more than three megabytes',
    path: CONFIG_MAPS,
    body: configMap('big', { data: { a: 'x'.repeat(3_200_000) } }),
    status: 413,
  },
  {
    what: 'a path that does not decode',
    path: '/api/v1/namespaces/%ZZ/pods',
    body: {},
    status: 400,
  },
  {
    what: 'a resource that nothing serves',
    path: '/apis/example.com/v1/things',
    body: {},
    status: 404,
  },
])('$what is answered with $status', async ({ path, body, status, contentType }) => {
  const answer = await api.send('POST', path, {
    body,
    ...(contentType === undefined ? {} : { contentType }),
  });
  expect(answer.status).toBe(status);
  expect(answer.body).toMatchObject({ kind: 'Status', status: 'Failure', code: status });
});

test('a body that is too large does not block the requests after it', async () => {
  const body = configMap('big', { data: { a: 'x'.repeat(3_200_000) } });
  for (let round = 0; round < 10; round++) {
    expect((await api.send('POST', CONFIG_MAPS, { body })).status).toBe(413);
    expect((await api.send('GET', CONFIG_MAPS)).status).toBe(200);
  }
});

test('lists are paged and filtered', async () => {
  for (const name of ['page-1', 'page-2', 'page-3']) {
    const metadata = { name, labels: { set: 'pages' } };
    await api.send('POST', CONFIG_MAPS, { body: configMap(name, { metadata }) });
  }
  const first = await api.send('GET', `${CONFIG_MAPS}?labelSelector=set%3Dpages&limit=2`);
  expect(first.body.items).toHaveLength(2);
  expect(first.body.metadata.remainingItemCount).toBe(1);
  const next = `limit=2&continue=${first.body.metadata.continue}`;
  const second = await api.send('GET', `${CONFIG_MAPS}?labelSelector=set%3Dpages&${next}`);
  expect(second.body.items[0].metadata.name).toBe('page-3');
  expect(second.body.metadata).not.toHaveProperty('continue');
});

/** The events of a watch until `count` have come, which ends it. */
function watch(path: string, count: number): Promise<{ type: string; object: never }[]> {
  const { promise, resolve, reject } = Promise.withResolvers<{ type: string; object: never }[]>();
  void api.server
    .serviceAccountToken({ namespace: 'default', serviceAccount: 'watcher' })
    .then((token) => {
      const headers = { authorization: `Bearer ${token}` };
      const request = get(
        `${api.server.url}${path}`,
        { ca: api.server.caPem, headers },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => {
            text += chunk;
            const lines = text.split('\n').filter((line) => line !== '');
            if (lines.length < count) return;
            request.destroy();
            resolve(lines.map((line) => JSON.parse(line)));
          });
        },
      );
      request.on('error', reject);
    });
  return promise;
}

test('a watch replays from a revision, follows, and an object that stops matching is deleted to it', async () => {
  const metadata = { name: 'watcher', namespace: 'default' };
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata };
  await api.send('POST', '/api/v1/namespaces/default/serviceaccounts', { body: account });
  const binding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'watchers' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'ServiceAccount', ...metadata }],
  };
  const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
  await api.send('POST', bindings, { body: binding });
  const labelled = configMap('seen', { metadata: { name: 'seen', labels: { watched: 'yes' } } });
  const created = await api.send('POST', CONFIG_MAPS, { body: labelled });
  const revision = Number(created.body.metadata.resourceVersion) - 1;
  const events = watch(
    `${CONFIG_MAPS}?watch=1&labelSelector=watched%3Dyes&resourceVersion=${revision}`,
    3,
  );
  const contentType = 'application/merge-patch+json';
  await api.send('PATCH', `${CONFIG_MAPS}/seen`, { contentType, body: { data: { a: '1' } } });
  const unlabel = { metadata: { labels: { watched: null } } };
  await api.send('PATCH', `${CONFIG_MAPS}/seen`, { contentType, body: unlabel });
  expect((await events).map((event) => event.type)).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
  const synced = await watch(
    `${CONFIG_MAPS}?watch=1&fieldSelector=metadata.name%3Dseen&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan`,
    2,
  );
  expect(synced).toMatchObject([
    { type: 'ADDED' },
    {
      type: 'BOOKMARK',
      object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    },
  ]);
});

test('a watcher that does not read is cut off, instead of having everything kept for it', async () => {
  const account = { namespace: 'default', serviceAccount: 'watcher' };
  const headers = { authorization: `Bearer ${await api.server.serviceAccountToken(account)}` };
  const request = get(`${api.server.url}${CONFIG_MAPS}?watch=1`, { ca: api.server.caPem, headers });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.pause();
  const contentType = 'application/merge-patch+json';
  const filled = configMap('large', { metadata: { name: 'large' } });
  await api.send('POST', CONFIG_MAPS, { body: filled });
  for (let i = 0; i < 40; i++) {
    const body = { data: { text: String(i % 10).repeat(900_000) } };
    await api.send('PATCH', `${CONFIG_MAPS}/large`, { contentType, body });
  }
  await api.send('DELETE', `${CONFIG_MAPS}/large`);
  response.resume();
  await expect(once(response, 'end')).rejects.toThrow('aborted');
});

test('a custom definition is served at once, checked, and gone with its objects', async () => {
  const property = { type: 'object', properties: { size: { type: 'integer', maximum: 9 } } };
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'boxes.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { kind: 'Box', plural: 'boxes' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: property } } },
        },
      ],
    },
  };
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const boxes = '/apis/example.com/v1/namespaces/default/boxes';
  expect((await api.send('GET', boxes)).status).toBe(404);
  await api.send('POST', definitions, { body: definition });
  const box = (size: number) => ({
    apiVersion: 'example.com/v1',
    kind: 'Box',
    metadata: { name: `box-${size}` },
    spec: { size },
  });
  expect((await api.send('POST', boxes, { body: box(3) })).status).toBe(201);
  const tooLarge = await api.send('POST', boxes, { body: box(10) });
  expect(tooLarge.body.message).toBe(
    'Box.example.com "box-10" is invalid: spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9',
  );
  await api.send('DELETE', `${definitions}/boxes.example.com`);
  await expect.poll(async () => (await api.send('GET', boxes)).status).toBe(404);
});

async function selfSigned(directory: string) {
  const args =
    'req -x509 -newkey rsa:2048 -nodes -days 1 -keyout key.pem -out cert.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost';
  await promisify(execFile)('openssl', args.split(' '), { cwd: directory });
  const read = (name: string) => readFileSync(join(directory, name), 'utf8');
  return { key: read('key.pem'), cert: read('cert.pem') };
}

test('webhooks change and refuse objects, and one that cannot be reached fails as its policy says', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'webhook-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const tls = await selfSigned(directory);
  const server = createServer(tls, (request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    request.on('end', () => {
      const { uid, object } = JSON.parse(text).request;
      const operations = [{ op: 'add', path: '/metadata/labels', value: { injected: 'yes' } }];
      const patch = Buffer.from(JSON.stringify(operations)).toString('base64');
      const allowed = object.data?.forbidden === undefined;
      const mutation = request.url === '/mutate' ? { patchType: 'JSONPatch', patch } : {};
      const status = { message: 'this word is forbidden' };
      const answer = { uid, allowed: request.url === '/mutate' || allowed, status, ...mutation };
      response.end(JSON.stringify({ response: answer }));
    });
  });
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', () => resolve());
  await listening;
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const registrations = '/apis/admissionregistration.k8s.io/v1';
  const register = (kind: string, path: string, at: number) =>
    api.send('POST', `${registrations}/${kind.toLowerCase()}s`, {
      body: {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind,
        metadata: { name: 'words' },
        webhooks: [
          {
            name: 'words.example.com',
            clientConfig: {
              url: `https://localhost:${at}${path}`,
              caBundle: Buffer.from(tls.cert).toString('base64'),
            },
            rules: [
              {
                operations: ['CREATE'],
                apiGroups: [''],
                apiVersions: ['v1'],
                resources: ['configmaps'],
              },
            ],
            objectSelector: { matchExpressions: [{ key: 'exempt', operator: 'DoesNotExist' }] },
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
          },
        ],
      },
    });
  await register('MutatingWebhookConfiguration', '/mutate', port);
  await register('ValidatingWebhookConfiguration', '/validate', port);
  const changed = await api.send('POST', CONFIG_MAPS, { body: configMap('hooked') });
  expect(changed.body.metadata.labels).toEqual({ injected: 'yes' });
  const forbidden = configMap('bad', { data: { forbidden: 'x' } });
  const refused = await api.send('POST', CONFIG_MAPS, { body: forbidden });
  expect(refused.body.message).toBe(
    'admission webhook "words.example.com" denied the request: this word is forbidden',
  );
  const metadata = { name: 'exempt', labels: { exempt: 'yes' } };
  const exempt = configMap('exempt', { metadata, data: { forbidden: 'x' } });
  expect((await api.send('POST', CONFIG_MAPS, { body: exempt })).status).toBe(201);
  const mutating = `${registrations}/mutatingwebhookconfigurations/words`;
  await api.send('DELETE', mutating);
  await register('MutatingWebhookConfiguration', '/mutate', 1);
  const unreachable = await api.send('POST', CONFIG_MAPS, { body: configMap('lost') });
  expect(unreachable.status).toBe(500);
  expect(unreachable.body.message).toContain('failed calling webhook "words.example.com"');
  const contentType = 'application/json-patch+json';
  const ignore = [{ op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' }];
  await api.send('PATCH', mutating, { contentType, body: ignore });
  expect((await api.send('POST', CONFIG_MAPS, { body: configMap('lost') })).status).toBe(201);
  await api.send('DELETE', mutating);
  await api.send('DELETE', `${registrations}/validatingwebhookconfigurations/words`);
});

test('a kind on which nothing in the sandbox acts says so when it is written, not when it is read', async () => {
  const path = '/api/v1/namespaces/default/resourcequotas';
  const body = { metadata: { name: 'small' }, spec: { hard: { pods: '1' } } };
  const written = await api.send('POST', path, { body });
  expect(written.status).toBe(201);
  expect(written.warnings.join()).toContain('the sandbox does not enforce quotas');
  expect((await api.send('GET', path)).warnings).toEqual([]);
  const plain = { metadata: { name: 'plain' }, data: {} };
  expect((await api.send('POST', CONFIG_MAPS, { body: plain })).warnings).toEqual([]);
});
