interface Owned<Owner> {
  readonly metadata: { readonly ownerReferences?: readonly Owner[] | undefined };
}

/** The owner that manages the object, or null. */
export function controllerOf<Owner extends { readonly controller?: boolean | undefined }>({
  metadata,
}: Owned<Owner>): Owner | null {
  return metadata.ownerReferences?.find(({ controller }) => controller === true) ?? null;
}
