import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import { keyOf, type StoredObject } from '../ingest/cluster-inputs.ts';
import { project } from '../ingest/project.ts';
import { shapeProblem } from '../ingest/shape.ts';
import {
  firstOfEachName,
  SETTINGS,
  type TestObject,
  valuesOf,
  watchedKindOf,
} from './derivation.fixture.ts';
import { Derivation } from './derivation.ts';
import { readyCluster } from './l7/recorded-waypoint.fixture.ts';

const GOLDEN = new URL('../../../../test/fixtures/golden/l7/', import.meta.url);

const OBJECTS = readyCluster(
  firstOfEachName(
    readdirSync(GOLDEN)
      .map((name) => new URL(`${name}/objects.json`, GOLDEN))
      .filter((file) => existsSync(file))
      .flatMap((file) => JSON.parse(readFileSync(file, 'utf8')) as TestObject[]),
  ),
).objects();

const KINDS = [
  'AuthorizationPolicy',
  'DestinationRule',
  'Gateway',
  'GRPCRoute',
  'HTTPRoute',
  'PeerAuthentication',
  'RequestAuthentication',
  'ServiceEntry',
  'Sidecar',
  'Telemetry',
  'VirtualService',
];
const CHANGED = OBJECTS.filter(({ kind }) => KINDS.includes(kind));

type Path = readonly (string | number)[];

/** Of every field and item that the value has. */
function* pathsIn(value: unknown, path: Path): Iterable<Path> {
  yield path;
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) yield* pathsIn(inner, [...path, name]);
}

const PLACES = CHANGED.flatMap((object) =>
  Array.from(pathsIn(object.spec ?? {}, ['spec']), (path) => ({ object, path })),
);

/** The object with another value there. */
function withValue(object: TestObject, path: Path, value: unknown): TestObject {
  const changed = structuredClone(object);
  const parent = path.slice(0, -1).reduce<object>((at, name) => at[name as never], changed);
  Object.defineProperty(parent, path.at(-1)!, { value, enumerable: true, configurable: true });
  return changed;
}

/** What somebody may write, or a definition that was loosened lets pass. */
const VALUES: readonly unknown[] = [
  ...[null, [], {}, [null], [{}], [''], ['*'], { '': '' }, JSON.parse('{"__proto__":"a"}')],
  ...['', '*', '.', '(', '%', 'a/b/c', '1s', '99999999999999h', '__proto__', 'constructor'],
  ...['\ud800', -1, 0, 0.5, 1e20, true, false, { exact: '', prefix: '' }],
];

/** As it is fed by watches: what is malformed is kept out. Tells what could not be derived. */
function mesh() {
  const problems: string[] = [];
  const derivation = new Derivation(SETTINGS, (collection, key, error) => {
    problems.push(`${collection} ${key}: ${error}`);
  });
  let version = 0;
  const put = (object: TestObject): void => {
    const kind = watchedKindOf(object)!;
    version += 1;
    const metadata = { ...object.metadata, resourceVersion: `${version}` };
    const delivered = { ...structuredClone(object), metadata } as StoredObject;
    // A class that a fixture made up says less than the API would.
    if (kind !== 'GatewayClass' && shapeProblem(kind, delivered) !== null) return;
    derivation.cluster.anyOf(kind).set(keyOf(object), project(kind, delivered));
  };
  for (const object of OBJECTS) put(object);
  for (const [namespace, app] of [
    ['team', 'web'],
    ['shop', 'cart'],
  ] as const) {
    derivation.proxies.set(app, {
      type: 'sidecar',
      namespace,
      podName: `${app}-1`,
      labels: { app },
      addresses: ['10.1.0.1'],
      locality: null,
      meshId: '',
      account: '',
      inboundTunnels: 'none',
    });
  }
  derivation.settle();
  expect(valuesOf(derivation.waypoints.clusters).length).toBeGreaterThan(0);
  return { derivation, put, problems };
}

test('whatever value a field has, all that depends on it is derived', () => {
  const { derivation, put, problems } = mesh();
  const place = fc.constantFrom(...PLACES);
  fc.assert(
    fc.property(place, fc.constantFrom(...VALUES), ({ object, path }, value) => {
      put(withValue(object, path, value));
      derivation.settle();
      put(object);
      derivation.settle();
      expect(problems).toEqual([]);
    }),
    runs(300),
  );
}, 60_000);

test.for<readonly [kind: string, path: string, value: unknown]>([
  ['ServiceEntry', 'spec.ports.0.name', '__proto__'],
  ['ServiceEntry', 'spec.resolution', '__proto__'],
  ['ServiceEntry', 'spec.ports', null],
  ['VirtualService', 'spec.http.0.match', null],
  ['DestinationRule', 'spec.subsets', null],
  ['VirtualService', 'spec.http.0.fault.abort.percentage.value', -1],
  ['VirtualService', 'spec.http.0.fault.abort.percentage.value', 1e9],
])('of every %s, %s may be %j', ([kind, where, value]) => {
  const { derivation, put, problems } = mesh();
  const places = PLACES.filter(
    ({ object, path }) => object.kind === kind && path.join('.') === where,
  );
  expect(places).not.toEqual([]);
  for (const { object, path } of places) put(withValue(object, path, value));
  derivation.settle();
  expect(problems).toEqual([]);
});
