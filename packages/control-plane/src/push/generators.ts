/** What each resource type holds for a proxy. A new type is one entry in `GENERATORS`. */
import {
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  CLUSTER_TYPE,
  ENDPOINT_TYPE,
  ENROLLED_POD_TYPE,
  LISTENER_TYPE,
} from '@aquifer/wire';
import { GATEWAY_NAME_LABEL } from '../derive/labels.ts';
import { labelsOf } from '../derive/object.ts';
import type { ConnectedProxy } from './proxy.ts';
import type { Published } from './publisher.ts';
import type { ServedWaypoint } from './served-resources.ts';
import { ServedSet } from './served-set.ts';

export interface ResourceGenerator {
  readonly typeUrl: string;
  /**
   * All resources of the type for this proxy. Null when nothing is known about it: it is told nothing then, and keeps
   * what it has. Throwing keeps what the proxy has and is logged.
   */
  generate(proxy: ConnectedProxy, published: Published): ServedSet | null;
}

/** For proxies that a type has nothing for. */
export const NO_RESOURCES: ServedSet = new ServedSet();

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

/**
 * A waypoint is an instance of the Gateway that its pod's label names; its routes are inside its listeners. One that is
 * not known yet waits, instead of serving nothing; one whose Gateway was deleted serves what it has until it ends.
 */
function waypointGenerator(typeUrl: string, kind: keyof ServedWaypoint): ResourceGenerator {
  return {
    typeUrl,
    generate: ({ type, namespace, podName }, { cluster, served }) => {
      if (type !== 'waypoint') return NO_RESOURCES;
      const pod = cluster.get('Pod', namespace, podName);
      if (pod === undefined) return null;
      const gateway = labelsOf(pod)[GATEWAY_NAME_LABEL];
      if (gateway === undefined) return NO_RESOURCES;
      return served.waypoint(`${namespace}/${gateway}`)?.[kind] ?? null;
    },
  };
}

/** In push order (spec control-plane 3.2). */
export const GENERATORS: readonly ResourceGenerator[] = [
  waypointGenerator(CLUSTER_TYPE, 'clusters'),
  waypointGenerator(ENDPOINT_TYPE, 'endpoints'),
  waypointGenerator(LISTENER_TYPE, 'listeners'),
  addresses,
  authorizations,
  enrolledPods,
];
