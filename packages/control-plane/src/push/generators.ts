/** What each resource type holds for a proxy. A new type is one entry in `GENERATORS`. */
import {
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  CLUSTER_TYPE,
  ENDPOINT_TYPE,
  ENROLLED_POD_TYPE,
  LISTENER_TYPE,
} from '@aquifer/wire';
import type { WaypointConfig } from '../derive/l7/waypoint-configs.ts';
import { GATEWAY_NAME_LABEL } from '../derive/labels.ts';
import { labelsOf } from '../derive/object.ts';
import type { ResourceMap } from '../derive/resource.ts';
import type { Snapshot } from '../derive/snapshot.ts';
import type { ConnectedProxy } from './proxy.ts';

export interface ResourceGenerator {
  readonly typeUrl: string;
  /**
   * All resources of the type for this proxy; the same map object as long as nothing in it changed. Null when nothing is
   * known about it: it is told nothing then, and keeps what it has. Throwing keeps what the proxy has and is logged.
   */
  generate(proxy: ConnectedProxy, snapshot: Snapshot): ResourceMap | null;
}

const NO_RESOURCES: ResourceMap = new Map();

const addresses: ResourceGenerator = {
  typeUrl: ADDRESS_TYPE,
  generate: (_proxy, snapshot) => snapshot.addresses,
};

const authorizations: ResourceGenerator = {
  typeUrl: AUTHORIZATION_TYPE,
  generate: (_proxy, snapshot) => snapshot.authorizations,
};

/** Only a proxy that proved which node it runs on learns what to capture there. */
const enrolledPods: ResourceGenerator = {
  typeUrl: ENROLLED_POD_TYPE,
  generate: (proxy, snapshot) =>
    proxy.isNodeVerified && proxy.type === 'ztunnel'
      ? (snapshot.enrolledPods.get(proxy.nodeName) ?? NO_RESOURCES)
      : NO_RESOURCES,
};

/**
 * A waypoint is an instance of the Gateway that its pod's label names; its routes are inside its listeners. One that is
 * not known yet waits, instead of serving nothing; one whose Gateway was deleted serves what it has until it ends.
 */
function waypointGenerator(typeUrl: string, kind: keyof WaypointConfig): ResourceGenerator {
  return {
    typeUrl,
    generate: ({ type, namespace, podName }, { state, waypointConfigs }) => {
      if (type !== 'waypoint') return NO_RESOURCES;
      const pod = state.Pod.get(namespace, podName);
      if (pod === undefined) return null;
      const gateway = labelsOf(pod)[GATEWAY_NAME_LABEL];
      if (gateway === undefined) return NO_RESOURCES;
      return waypointConfigs.get(`${namespace}/${gateway}`)?.[kind] ?? null;
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
