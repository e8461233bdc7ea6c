import type { VirtualService } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { MESH } from '../derivation.fixture.ts';
import { resolvedRoutes } from './delegates.ts';
import { virtualServiceProblems } from './virtual-service-problems.ts';

const DESTINATION = { route: [{ destination: { host: 'cart' } }] };

function virtualService(name: string, spec: object): VirtualService {
  return { kind: 'VirtualService', metadata: { namespace: 'shop', name }, spec } as VirtualService;
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

const DELEGATE = virtualService('child', {
  http: times(1000, (i) => ({ match: [{ uri: { exact: `/a/${i}` } }], ...DESTINATION })),
});

/** How many routes are made, and what is said; `http` are those that delegate to a thousand. */
function delegating(http: readonly object[]) {
  const parent = virtualService('parent', { hosts: ['cart'], http });
  const find = () => DELEGATE;
  const matches = resolvedRoutes(parent, find, MESH).flatMap(({ match }) => match ?? []);
  return { matches: matches.length, problems: virtualServiceProblems(parent, find) };
}

test('routes that delegate make so many matches, and those after them are left out and named (L051)', () => {
  const { matches, problems } = delegating([
    ...times(5000, () => ({ delegate: { name: 'child' } })),
    DESTINATION,
  ]);
  expect(matches).toBe(10_000);
  expect(problems).toHaveLength(4990);
  expect(problems[0]).toBe(
    'http[10].delegate: delegation makes more than 10000 matches; the route is left out. Delegate by fewer routes or matches',
  );
});

test('the matches of a route multiply those of its delegate', () => {
  const match = times(11, () => ({ uri: { prefix: '/a' } }));
  const { matches, problems } = delegating([{ match, delegate: { name: 'child' } }]);
  expect(matches).toBe(0);
  expect(problems).toEqual([expect.stringMatching(/^http\[0\]\.delegate: .* more than 10000/)]);
});

test('of a long pattern that cannot be read the beginning is told', () => {
  const regex = '('.repeat(100_000);
  const service = virtualService('long', {
    hosts: ['cart'],
    http: [{ match: [{ uri: { regex } }], ...DESTINATION }],
  });
  const [problem = ''] = virtualServiceProblems(service, () => undefined);
  expect(problem).toContain('((((…" is no regular expression of RE2');
  expect(problem.length).toBeLessThan(400);
});
