import type { ProxyConfig } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { parseMeshConfig } from './mesh-config.ts';
import { annotatedStart, effectiveStart, startProblems, USUAL_START } from './proxy-start.ts';

interface Where {
  readonly namespace?: string;
  readonly age?: number;
  readonly selector?: Readonly<Record<string, string>>;
}

function config(spec: object, { namespace = 'shop', age = 1, selector }: Where = {}): ProxyConfig {
  const creationTimestamp = new Date(Date.UTC(2026, 0, 10 - age)).toISOString();
  return {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'ProxyConfig',
    metadata: { namespace, name: `c${age}`, creationTimestamp },
    spec: { ...spec, ...(selector && { selector: { matchLabels: selector } }) },
  } as ProxyConfig;
}

const PROXY = { namespace: 'shop', labels: { app: 'waypoint' }, annotation: undefined };
const MESH = { rootNamespace: 'istio-system', proxies: USUAL_START };

function startOf(configs: readonly ProxyConfig[], proxy: object = {}, mesh: object = {}) {
  return effectiveStart({ ...PROXY, ...proxy }, { ...MESH, ...mesh }, (namespace) =>
    configs.filter(({ metadata }) => metadata.namespace === namespace),
  );
}

const OF_MESH = { proxies: { threads: 1, environment: { A: 'mesh', MESH: 'mesh' } } };
const OF_ROOT = config(
  { concurrency: 2, environmentVariables: { A: 'root', ROOT: 'root' } },
  { namespace: 'istio-system' },
);
const OF_NAMESPACE = config({ concurrency: 3, environmentVariables: { A: 'ns', NS: 'ns' } });
const SELECTING = config(
  { concurrency: 4, environmentVariables: { A: 'own', OWN: 'own' } },
  { selector: { app: 'waypoint' } },
);
const ANNOTATION = 'concurrency: 5\nproxyMetadata: {A: pod, POD: 7}\n';

test('nothing is said', () => {
  expect(startOf([])).toEqual(USUAL_START);
});

test.for<readonly [threads: number, a: string, configs: readonly ProxyConfig[], text?: string]>([
  [1, 'mesh', []],
  [2, 'root', [OF_ROOT]],
  [3, 'ns', [OF_ROOT, OF_NAMESPACE]],
  [4, 'own', [SELECTING, OF_ROOT, OF_NAMESPACE]],
  [5, 'pod', [SELECTING, OF_ROOT, OF_NAMESPACE], ANNOTATION],
])('the narrowest counts: %i of %s', ([threads, a, configs, annotation]) => {
  const start = startOf(configs, { annotation }, OF_MESH);
  expect(start).toMatchObject({ threads, environment: { A: a, MESH: 'mesh' } });
});

test('variables of all add up', () => {
  const all = [SELECTING, OF_ROOT, OF_NAMESPACE];
  expect(startOf(all, { annotation: ANNOTATION }, OF_MESH).environment).toEqual({
    ...{ A: 'pod', MESH: 'mesh', ROOT: 'root', NS: 'ns', OWN: 'own', POD: '7' },
  });
});

test('what says nothing of threads leaves them to the wider', () => {
  const silent = config({ concurrency: null }, { selector: { app: 'waypoint' } });
  expect(startOf([silent, OF_NAMESPACE]).threads).toBe(3);
});

test('one for others does not count, nor one of another namespace that selects', () => {
  const others = config({ concurrency: 9 }, { selector: { app: 'other' } });
  const elsewhere = config(
    { concurrency: 9 },
    { namespace: 'istio-system', selector: { app: 'waypoint' } },
  );
  expect(startOf([others, elsewhere])).toEqual(USUAL_START);
});

test('of two alike the older counts', () => {
  const [younger, older] = [7, 8].map((age) => config({ concurrency: age }, { age }));
  expect(startOf([younger!, older!]).threads).toBe(8);
});

test.for([
  [0, null],
  [2.5, 2],
  [1000, 256],
])('%d threads are %d', ([concurrency, threads]) => {
  expect(startOf([config({ concurrency })]).threads).toBe(threads);
});

test('the mesh says it by defaultConfig', () => {
  const { proxies, unread } = parseMeshConfig(
    'defaultConfig: {concurrency: 3, proxyMetadata: {A: b}, meshId: one}',
  );
  expect({ proxies, unread }).toEqual({
    proxies: { threads: 3, environment: { A: 'b' } },
    unread: [],
  });
});

test.for([
  ['concurrency: 2', []],
  ['{concurrency: 2, holdApplicationUntilProxyStarts: true}', ['holdApplicationUntilProxyStarts']],
  ['concurrency: [', ['it cannot be read']],
  ['concurrency: many', ['concurrency is no number']],
] as const)('of the annotation %s it is said what is not followed: %o', ([text, said]) => {
  const { problems } = annotatedStart(text);
  expect(problems).toEqual(said.map((each) => expect.stringContaining(each)));
});

test('what proxies do not do is named', () => {
  expect(startProblems(config({ concurrency: 2, environmentVariables: { A: 'b' } }))).toEqual([]);
  expect(startProblems(config({ concurrency: 999, image: { imageType: 'distroless' } }))).toEqual([
    'concurrency: proxies have no more than 256 threads',
    'image.imageType: proxies of one kind have one image',
  ]);
});
