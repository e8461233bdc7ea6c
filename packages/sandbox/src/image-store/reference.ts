/** Names of images, as the OCI distribution specification and every tool around it write them. */

/** `REGISTRY/REPOSITORY:TAG` or `REGISTRY/REPOSITORY@DIGEST`, with nothing left out. */
export interface ImageReference {
  readonly registry: string;
  readonly repository: string;
  /** What a registry is asked for: the digest, else the tag. */
  readonly version: string;
  /** The whole, in one spelling: `docker.io/library/busybox:latest` for `busybox`. */
  readonly name: string;
}

const DEFAULT_REGISTRY = 'docker.io';
const DEFAULT_TAG = 'latest';

/** Never fails: a text that is no name of an image names one that no registry has. */
export function parseReference(text: string): ImageReference {
  const [named = '', digest] = text.split('@');
  const tag = /:([^/:]*)$/.exec(named)?.[1];
  const path = tag === undefined ? named : named.slice(0, -tag.length - 1);
  const [registry, below] = splitRegistry(path);
  const isOfficial = registry === DEFAULT_REGISTRY && !below.includes('/');
  const repository = isOfficial ? `library/${below}` : below;
  const version = digest ?? tag ?? DEFAULT_TAG;
  const separator = digest === undefined ? ':' : '@';
  return { registry, repository, version, name: `${registry}/${repository}${separator}${version}` };
}

/** What comes before the first slash is a registry when it looks like a host. */
function splitRegistry(path: string): readonly [registry: string, below: string] {
  const [, first = '', below = ''] = /^([^/]*)\/(.*)$/.exec(path) ?? [];
  const isRegistry = /[.:]/.test(first) || first === 'localhost';
  return isRegistry ? [first, below] : [DEFAULT_REGISTRY, path];
}
