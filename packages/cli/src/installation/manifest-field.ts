/** Where a field path leads: the map or list that holds the last step, and the step. */
export interface Located {
  readonly holder: Holder;
  readonly key: string | number;
}

/** A map or a list of a manifest. */
type Holder = Record<string | number, unknown>;

/**
 * Follows `spec.containers[discovery].image` through a manifest; elements of lists go by their `name`. Throws if it leads
 * nowhere but for its last step: the paths are our own, and so are the manifests.
 */
export function locate(manifest: object, field: string): Located {
  const path = pathTo(manifest, field);
  const key = path.at(-1)!;
  const holder = path
    .slice(0, -1)
    .reduce<Holder>((at, step) => at[step] as Holder, manifest as Holder);
  return { holder, key };
}

/** The keys of that path in this manifest, with the positions of elements of lists. */
export function pathTo(manifest: object, field: string): (string | number)[] {
  const steps = field.match(/[^.[\]]+|\[[^\]]+\]/g) ?? [];
  const path: (string | number)[] = [];
  let holder = manifest as Holder;
  for (const [index, step] of steps.entries()) {
    path.push(keyOf(holder, step));
    if (index < steps.length - 1) holder = childOf(holder, step, field);
  }
  return path;
}

function childOf(holder: Holder, step: string, field: string): Holder {
  const child = holder[keyOf(holder, step)];
  if (typeof child !== 'object' || child === null)
    throw new Error(`${field}: no ${step} in the manifest`);
  return child as Holder;
}

function keyOf(holder: Holder, step: string): string | number {
  if (!step.startsWith('[')) return step;
  const name = step.slice(1, -1);
  return (holder as unknown as { name: string }[]).findIndex((element) => element.name === name);
}
