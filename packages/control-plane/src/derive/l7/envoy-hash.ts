/** By what requests are hashed to one endpoint, in Envoy's terms (spec l7 2.2, recording l7/13). */
import { durationMs } from '../routing/durations.ts';
import type { ConsistentHash } from '../traffic/traffic-policy.ts';
import type { HashPolicyInit } from './envoy-route.ts';
import { duration } from './packed.ts';

/** Null if it names nothing to hash. */
export function hashPolicy(hash: ConsistentHash): HashPolicyInit | null {
  const { httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName: name } = hash;
  if (httpHeaderName) {
    return { policySpecifier: { case: 'header', value: { headerName: httpHeaderName } } };
  }
  if (httpCookie !== undefined) return cookiePolicy(httpCookie);
  if (useSourceIp === true) {
    return { policySpecifier: { case: 'connectionProperties', value: { sourceIp: true } } };
  }
  return name ? { policySpecifier: { case: 'queryParameter', value: { name } } } : null;
}

function cookiePolicy(cookie: NonNullable<ConsistentHash['httpCookie']>): HashPolicyInit {
  const { name, path = '', ttl, attributes = [] } = cookie;
  return {
    policySpecifier: {
      case: 'cookie',
      value: {
        name,
        path,
        ...(ttl !== undefined && { ttl: duration(durationMs(ttl)) }),
        attributes: attributes.map(({ name: key, value = '' }) => ({ name: key, value })),
      },
    },
  };
}
