import { describe, expect, test } from 'vitest';
import { ENVOY } from '../../fixtures/static-proxy.ts';
import { compareProxies } from './differential.ts';
import { describeDifference } from './report.ts';

const REQUESTS = 1000;
const SEED = 1;

/**
 * Whatever is configured, asked and answered: Envoy and the waypoint do the same. `npm run conformance -- --against
 * envoy` tries more; `docs/conformance/l7.md` has what is different on purpose.
 */
describe.skipIf(ENVOY === undefined)('generated configurations, requests and origins', () => {
  test('make no difference between Envoy and the waypoint', { timeout: 180_000 }, async () => {
    const options = { requests: REQUESTS, seed: SEED, maxDifferences: 3 };
    const { compared, found } = await compareProxies(options);
    expect(found.map(describeDifference).join('\n\n')).toBe('');
    expect(compared).toBe(REQUESTS);
  });
});
