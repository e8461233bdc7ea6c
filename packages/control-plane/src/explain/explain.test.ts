import type { ExplainedLine } from '@aquifer/wire';
import { expect, test } from 'vitest';
import { readyCluster, recordedObjects } from '../derive/l7/recorded-waypoint.fixture.ts';
import { explain } from './explain.ts';

/** Each line with its depth, and the objects behind it with their fields. */
function outline(lines: readonly ExplainedLine[], depth = 0): string[] {
  return lines.flatMap(({ what, name, because, lines: inner }) => [
    `${'  '.repeat(depth)}${what} ${name}`,
    ...because.map(
      ({ object, fields }) =>
        `${'  '.repeat(depth)}  < ${object.kind} ${object.namespace}/${object.name} ${fields.join(' ')}`,
    ),
    ...outline(inner, depth + 1),
  ]);
}

function explained(recording: string, kind: string, name: string): string[] {
  const { derivation } = readyCluster(recordedObjects(recording));
  const explanation = explain({ kind, namespace: 'shop', name }, derivation);
  return outline(explanation?.lines ?? []);
}

test('a service: its address, who is behind it, and what its waypoint is served of it', () => {
  const lines = explained('05-gamma-filters', 'Service', 'cart');
  const starts = lines.filter((text) => !text.includes('< '));
  expect(starts).toEqual([
    'address shop/cart.shop.svc.cluster.local',
    '  endpoint Kubernetes//Pod/shop/cart-1',
    'waypoint shop/waypoint',
    '  listener main_internal',
    '    filter chain inbound-vip|80|http|cart.shop.svc.cluster.local',
    ...[0, 5, 1, 3, 2, 4, 6].map((rule) => `      route shop.r.${rule}`),
    '  cluster inbound-vip|80|http|cart.shop.svc.cluster.local',
    '    endpoint 10.1.0.11:8080',
  ]);
  expect(lines).toContain('  < Namespace /shop metadata.labels["istio.io/use-waypoint"]');
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}< Service shop\/cart .*spec\.selector/));
  expect(lines).toContainEqual(
    expect.stringMatching(/^ {6}< Pod shop\/cart-1 .*status\.podIPs\[0\]\.ip/),
  );
});

test('a pod: its address with policies and services, and who captures it', () => {
  const lines = explained('05-gamma-filters', 'Pod', 'cart-1');
  expect(lines.filter((text) => !text.includes('< '))).toEqual([
    'address Kubernetes//Pod/shop/cart-1',
    '  endpoint shop/cart.shop.svc.cluster.local',
    'capture on node n1',
    'condition Ready True',
  ]);
  expect(lines).toContain('  < Namespace /shop metadata.labels["istio.io/dataplane-mode"]');
  expect(lines).toContainEqual(expect.stringMatching(/< Node \/n1 .*topology\.kubernetes\.io/));
});

test('a route: where waypoints follow it, with the fields that say so', () => {
  const lines = explained('05-gamma-filters', 'HTTPRoute', 'r');
  expect(lines).toContain('    filter chain inbound-vip|80|http|cart.shop.svc.cluster.local');
  expect(lines).toContainEqual(
    expect.stringMatching(/< HTTPRoute shop\/r .*spec\.rules\[0\]\.matches\[0\]\.path\.value/),
  );
});

test('a policy: who lists it, and the chains that obey it', () => {
  const lines = explained('23-authz-waypoint', 'AuthorizationPolicy', 'deny');
  const inner = lines.filter((text) => text.includes('policy ns['));
  expect(new Set(inner.map((text) => text.trim()))).toEqual(
    new Set(['policy ns[shop]-policy[deny]-rule[0]']),
  );
  expect(lines).toContainEqual(
    expect.stringMatching(/< AuthorizationPolicy shop\/deny spec\.action spec\.rules\[0\]/),
  );
});

test('what is not there cannot be explained', () => {
  const { derivation } = readyCluster(recordedObjects('05-gamma-filters'));
  for (const kind of ['Service', 'Nothing']) {
    expect(explain({ kind, namespace: 'shop', name: 'missing' }, derivation)).toBe(null);
  }
});
