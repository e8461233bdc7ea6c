/** What proxies tell of what they carry. */
import type { TestObject } from '../../../../packages/control-plane/src/derive/derivation.fixture.ts';
import { added, EGRESS, INGRESS, INTERNAL, type Row, rowsOf } from './row.ts';

const silent = (namespace: string, where: object = {}): TestObject =>
  added('telemetry.istio.io/v1/Telemetry', `${namespace}/silent`, {
    spec: { ...where, accessLogging: [{ providers: [{ name: 'envoy' }], disabled: true }] },
  });

const target = (group: string, kind: string, name: string): object => ({
  targetRefs: [{ group, kind, name }],
});

export const TELEMETRY_ROWS: readonly Row[] = rowsOf(
  'Telemetry',
  [INGRESS, 'a gateway logs nothing', silent('edge'), { gateway: 'L' }],
  [INTERNAL, 'sidecars log nothing', silent('side'), { sidecar: 'L' }],
  [
    INTERNAL,
    'a waypoint logs nothing of a service',
    silent('shop', target('', 'Service', 'cart')),
    { waypoint: 'L' },
  ],
  [
    EGRESS,
    'a waypoint logs nothing of a host outside',
    silent('shop', target('networking.istio.io', 'ServiceEntry', 'partner')),
    { waypoint: 'L' },
  ],
);
