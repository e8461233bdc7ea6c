/** What each resource type holds for a proxy. A new type is one entry in `GENERATORS`. */
import {
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  CLUSTER_TYPE,
  ENDPOINT_TYPE,
  ENROLLED_POD_TYPE,
  LISTENER_TYPE,
  ROUTE_TYPE,
  SECRET_TYPE,
} from '@aquifer/wire';
import { GATEWAY_NAME_LABEL } from '../derive/labels.ts';
import { labelsOf } from '../derive/object.ts';
import type { ConnectedProxy } from './proxy.ts';
import type { Published } from './publisher.ts';
import type { ServedProxy, ServedWaypoint } from './served-resources.ts';
import { type ResourceSet, ServedSet } from './served-set.ts';

export interface ResourceGenerator {
  readonly typeUrl: string;
  /**
   * All resources of the type for this proxy. Null when nothing is known about it: it is told nothing then, and keeps
   * what it has. Throwing keeps what the proxy has and is logged.
   */
  generate(proxy: ConnectedProxy, published: Published): ResourceSet | null;
}

/** For proxies that a type has nothing for. */
export const NO_RESOURCES: ResourceSet = new ServedSet();

const addresses: ResourceGenerator = {
  typeUrl: ADDRESS_TYPE,
  generate: (_proxy, { served }) => served.addresses,
};

const authorizations: ResourceGenerator = {
  typeUrl: AUTHORIZATION_TYPE,
  generate: (_proxy, { served }) => served.authorizations,
};

/** Only a proxy that proved which node it runs on learns what to capture there. */
const enrolledPods: ResourceGenerator = {
  typeUrl: ENROLLED_POD_TYPE,
  generate: (proxy, { served }) =>
    proxy.isNodeVerified && proxy.type === 'ztunnel'
      ? served.enrolledPods(proxy.nodeName)
      : NO_RESOURCES,
};

/** What proxies of HTTP are served; routes of a waypoint are inside its listeners. */
function proxyGenerator(typeUrl: string, kind: keyof ServedProxy): ResourceGenerator {
  return {
    typeUrl,
    generate: (proxy, published) => {
      switch (proxy.type) {
        case 'waypoint':
          return kind === 'routes' || kind === 'secrets'
            ? NO_RESOURCES
            : ofWaypoint(proxy, published, kind);
        case 'sidecar':
        case 'router':
          // One that has just come waits for the round that derives what it is served.
          return published.served.proxy(proxy.servedAs ?? '')?.[kind] ?? null;
        case 'ztunnel':
          return NO_RESOURCES;
      }
    },
  };
}

/**
 * A waypoint is an instance of the Gateway that its pod's label names. One that is not known yet waits, instead of serving
 * nothing; one whose Gateway was deleted serves what it has until it ends.
 */
function ofWaypoint(
  { namespace, podName }: ConnectedProxy,
  { cluster, served }: Published,
  kind: keyof ServedWaypoint,
): ResourceSet | null {
  const pod = cluster.get('Pod', namespace, podName);
  if (pod === undefined) return null;
  const gateway = labelsOf(pod)[GATEWAY_NAME_LABEL];
  if (gateway === undefined) return NO_RESOURCES;
  return served.waypoint(`${namespace}/${gateway}`)?.[kind] ?? null;
}

/** In push order (spec control-plane 3.2). */
export const GENERATORS: readonly ResourceGenerator[] = [
  proxyGenerator(CLUSTER_TYPE, 'clusters'),
  proxyGenerator(ENDPOINT_TYPE, 'endpoints'),
  proxyGenerator(LISTENER_TYPE, 'listeners'),
  proxyGenerator(ROUTE_TYPE, 'routes'),
  proxyGenerator(SECRET_TYPE, 'secrets'),
  addresses,
  authorizations,
  enrolledPods,
];
