import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RouteIndex } from './route-index.ts';
import type { MatchInput } from './string-match.ts';

function request(path: string, method: string): MatchInput {
  return { method, authority: 'shop.test', path, header: () => null, query: () => null };
}

const path = fc.stringMatching(/^(\/[ab]{0,2}){0,3}$/);
const route = fc.record({
  /** Part of the path that a route asks for, as for one that is an expression. */
  beginning: fc.tuple(path, fc.nat(6)).map(([text, length]) => text.slice(0, length)),
  ending: fc.constantFrom('', 'a', '/'),
  method: fc.constantFrom('GET', 'POST', null),
});

test('the first route that takes a request is found, however many have its beginning', () => {
  fc.assert(
    fc.property(fc.array(route), path, fc.constantFrom('GET', 'POST'), (specs, asked, method) => {
      const routes = specs.map(({ beginning, ending, method: only }) => ({
        beginning,
        matches: (input: MatchInput) =>
          input.path.startsWith(beginning) &&
          input.path.endsWith(ending) &&
          (only === null || input.method === only),
      }));
      const input = request(asked, method);
      const first = routes.find(({ matches }) => matches(input)) ?? null;
      expect(new RouteIndex(routes).find(input)).toBe(first);
    }),
  );
});

test('routes with another beginning are not asked', () => {
  const asked: string[] = [];
  const routes = ['/b', '/a', '/a/b', ''].map((beginning) => ({
    beginning,
    matches: () => {
      asked.push(beginning);
      return false;
    },
  }));
  expect(new RouteIndex(routes).find(request('/a/c', 'GET'))).toBeNull();
  expect(asked).toEqual(['/a', '']);
});
