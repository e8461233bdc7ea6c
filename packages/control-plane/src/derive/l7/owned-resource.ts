/** Resources that some proxies share: those of one waypoint, or those that see the mesh in the same way. */
import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { ObjectRef } from '../../ingest/kinds.ts';
import { isSameResource, type Resource, resource } from '../resource.ts';

export interface OwnedResource {
  /** Who is served it: `namespace/name` of a waypoint's Gateway, or the key of a view. */
  readonly owner: string;
  readonly resource: Resource<null>;
}

/** Under the key of its collection. */
export function ownedBy(
  owner: string,
  owned: Resource<null>,
): readonly [key: string, OwnedResource] {
  return [`${owner} ${owned.name}`, { owner, resource: owned }];
}

export function isSameOwned(before: OwnedResource, now: OwnedResource): boolean {
  return before.owner === now.owner && isSameResource(before.resource, now.resource);
}

/** Without the message, which would be many times as large as its bytes. */
export function encoded<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc> & { readonly name: string },
  sources: readonly ObjectRef[],
): Resource<null> {
  return resource(message.name, null, toBinary(schema, message), sources);
}
