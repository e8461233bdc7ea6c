/** Waypoints, and what is attached to the services behind them, as configuration names it. */
import type { ParentReference } from '@aquifer/model/resources';
import type { ObjectRef } from '../../ingest/kinds.ts';
import type { MeshService } from '../mesh-service.ts';
import { type LabelledObject, nameOf, namespaceOf } from '../object.ts';
import { sourceKey } from '../service-collections.ts';

/** A waypoint as configuration names it. */
export interface WaypointRef {
  readonly namespace: string;
  readonly name: string;
  readonly className: string;
  readonly source: ObjectRef;
}

/** The object that it is made of, as parents and targets name it. */
export function sourceOf(service: MeshService): string {
  return sourceKey(service.kind, namespaceOf(service), nameOf(service));
}

/** The Service or ServiceEntry that a route has as parent. */
export function parentKey(parent: ParentReference, route: LabelledObject): string {
  const { kind = 'Service', namespace = namespaceOf(route), name } = parent;
  return sourceKey(kind, namespace, name);
}
