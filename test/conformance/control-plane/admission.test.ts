import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import {
  namespaceObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../../fixtures/control-plane.ts';
import { eventually } from '../../fixtures/eventually.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';

/** What the API server is told of objects before it stores them. */
const CONFIGURATION: ApiObject = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name: 'istio-validator-istio-system', labels: { istio: 'istiod' } },
  webhooks: ['istiod', 'somebody-else'].map((name) => ({
    name: `${name}.example.com`,
    clientConfig: { service: { namespace: 'istio-system', name, path: '/validate' } },
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
  })),
};

function start(...objects: readonly ApiObject[]): Promise<RunningControlPlane> {
  return startTestControlPlane([namespaceObject('istio-system'), ...objects]);
}

interface Posted {
  readonly path?: string;
  readonly type?: string;
  readonly body: string;
}

/** As the API server does: over TLS, by the roots of the caBundle. */
function post(plane: RunningControlPlane, { path = '/validate', type, body }: Posted) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const call = request(
    {
      ...{ host: '127.0.0.1', port: plane.app.ports.webhook, path, method: 'POST' },
      ...{ ca: plane.app.rootBundle, servername: 'istiod.istio-system.svc' },
      headers: { 'content-type': type ?? 'application/json' },
    },
    (response) => {
      const status = response.statusCode ?? 0;
      text(response).then((answer) => resolve({ status, text: answer }), reject);
    },
  );
  call.on('error', reject);
  call.end(body);
  return promise;
}

async function review(plane: RunningControlPlane, kind: string, apiVersion: string, spec: unknown) {
  const object = { apiVersion, kind, metadata: { namespace: 'shop', name: 'x' }, spec };
  const body = JSON.stringify({ kind: 'AdmissionReview', request: { uid: 'u1', object } });
  const { status, text: answer } = await post(plane, { body });
  expect(status).toBe(200);
  const { response } = JSON.parse(answer) as {
    response: { uid: string; allowed: boolean; status?: { message: string }; warnings?: string[] };
  };
  expect(response.uid).toBe('u1');
  return response;
}

const POLICY = ['AuthorizationPolicy', 'security.istio.io/v1'] as const;

test('what is wrong with an object by itself is refused, with its field', async () => {
  const plane = await start();
  expect(await review(plane, ...POLICY, { rules: {} })).toMatchObject({
    allowed: false,
    status: { message: '[IST0106] spec.rules: expected a list, found an object' },
  });
  const filter = await review(plane, 'EnvoyFilter', 'networking.istio.io/v1alpha3', {});
  expect(filter.allowed).toBe(false);
  expect(filter.status?.message).toContain('EnvoyFilter has no effect');
});

test('what is doubtful is let in with a warning, and what may come later is not asked about', async () => {
  const plane = await start();
  const spec = {
    action: 'DENY',
    rules: [{ to: [{ operation: { paths: ['/x'] } }] }],
    targetRef: undefined,
    more: true,
  };
  const doubtful = await review(plane, ...POLICY, spec);
  expect(doubtful.allowed).toBe(true);
  expect(doubtful.warnings).toEqual([
    expect.stringMatching(/^\[AQF0103\] ztunnel does not support HTTP attributes/),
    expect.stringMatching(/^\[AQF0101\] spec\.more is not a field/),
  ]);
  const target = { targetRefs: [{ group: '', kind: 'Service', name: 'later' }] };
  expect(await review(plane, ...POLICY, target)).toEqual({ uid: 'u1', allowed: true });
});

test.for([
  { what: 'another path', posted: { path: '/other', body: '{}' }, status: 404 },
  { what: 'another type', posted: { type: 'text/plain', body: '{}' }, status: 415 },
  { what: 'no review', posted: { body: '{}' }, status: 400 },
  { what: 'no JSON', posted: { body: '{' }, status: 400 },
  { what: 'too much', posted: { body: ' '.repeat(5 * 1024 * 1024) }, status: 413 },
])('$what is answered $status, and the next one is judged', async ({ posted, status }) => {
  const plane = await start();
  expect((await post(plane, posted)).status).toBe(status);
  expect((await review(plane, ...POLICY, {})).allowed).toBe(true);
});

test('the API server is told by which roots the control plane is known, and nobody else is', async () => {
  const plane = await start(CONFIGURATION);
  const written = await eventually(() =>
    plane.api.writes.find(({ path }) => path.endsWith('/istio-validator-istio-system')),
  );
  const { webhooks } = written.body as {
    webhooks: { name: string; clientConfig: { caBundle?: string } }[];
  };
  const [own, other] = webhooks;
  expect(Buffer.from(own!.clientConfig.caBundle!, 'base64').toString()).toBe(plane.app.rootBundle);
  expect(other).not.toHaveProperty('clientConfig.caBundle');
  expect(written.body.metadata).toHaveProperty('resourceVersion');
});
