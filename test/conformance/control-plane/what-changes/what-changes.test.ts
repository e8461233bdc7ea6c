import { expect, test } from 'vitest';
import { KINDS } from '../../../../packages/control-plane/src/ingest/cluster-inputs.ts';
import { marksOf } from './observe.ts';
import { ROWS } from './rows.ts';

/** Of these kinds nothing is derived that proxies are served for one kind of traffic and not for another. */
const WITHOUT_TRAFFIC: Readonly<Record<string, string>> = {
  Node: 'says where pods are, as localities of their endpoints',
  GatewayClass: 'says which Gateways are waypoints',
  ProxyConfig: 'says how waypoints are started',
  Deployment: 'of waypoints, which are written and not read',
  ServiceAccount: 'of waypoints, which are written and not read',
  HorizontalPodAutoscaler: 'of waypoints, which are written and not read',
  PodDisruptionBudget: 'of waypoints, which are written and not read',
  ClusterTrustBundle: 'the root certificates, which are written and not read',
  ConfigMap: 'the root certificates, which are written and not read',
  GatewayClassDefaults: 'is laid over what Gateways become',
  ReferredConfigMap: 'is laid over what Gateways become',
  RootConfigMap: 'roots that BackendTLSPolicies and listeners name',
  Secret: 'certificates that listeners name; they are asked for by name',
  ValidatingWebhookConfiguration: 'is told the root certificates',
};

test.for(ROWS)('$traffic, $kind: $change', ({ objects, marks }) => {
  const nothing = { gateway: '', sidecar: '', waypoint: '', ztunnel: '' };
  expect(marksOf(objects)).toEqual({ ...nothing, ...marks });
});

test('every kind that is read has rows for every traffic', () => {
  const missing = KINDS.filter((kind) => !(kind in WITHOUT_TRAFFIC)).filter((kind) => {
    const traffic = new Set(ROWS.filter((row) => row.kind === kind).map((row) => row.traffic));
    return traffic.size !== 3;
  });
  expect(missing).toEqual([]);
});
