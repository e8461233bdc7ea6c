/**
 * The matrix: of each kind that is read, for traffic from outside, between services, and to the outside, one change and what
 * it changes, for everybody who is served something. `docs/what-changes-what.md` is written from it.
 */
import { CLUSTER_ROWS } from './cluster-rows.ts';
import { GATEWAY_API_ROWS } from './gateway-api-rows.ts';
import { ROUTING_ROWS } from './routing-rows.ts';
import type { Row } from './row.ts';
import { SECURITY_ROWS } from './security-rows.ts';
import { TELEMETRY_ROWS } from './telemetry-rows.ts';

export const ROWS: readonly Row[] = [
  ...CLUSTER_ROWS,
  ...ROUTING_ROWS,
  ...GATEWAY_API_ROWS,
  ...SECURITY_ROWS,
  ...TELEMETRY_ROWS,
];
