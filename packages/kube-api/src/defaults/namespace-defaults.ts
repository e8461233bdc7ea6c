/** Defaults of namespaces and of what limits and holds things in them. */
import { isObject, type JsonObject, objectOr } from '../json.ts';
import { fill, fillEmpty, itemsOf } from './fill.ts';

/** The name as a label, the finalizer that lets a namespace empty itself, and its phase. */
export function namespaceDefaults(namespace: JsonObject): void {
  const metadata = objectOr(namespace.metadata);
  metadata.labels = { ...objectOr(metadata.labels), 'kubernetes.io/metadata.name': metadata.name };
  fill(namespace, 'spec', {});
  if (metadata.deletionTimestamp === undefined) {
    fill(objectOr(namespace.spec), 'finalizers', ['kubernetes']);
  }
  fill(namespace, 'status', { phase: 'Active' });
}

/** `stringData` is write-only: its values end up in `data`, in base64. */
export function secretDefaults(secret: JsonObject): void {
  fillEmpty(secret, 'type', 'Opaque');
  if (!isObject(secret.stringData)) return;
  const plain = Object.entries(secret.stringData).map(([key, value]) => [
    key,
    Buffer.from(String(value)).toString('base64'),
  ]);
  secret.data = { ...objectOr(secret.data), ...Object.fromEntries(plain) };
  delete secret.stringData;
}

/** A lease has a spec, however empty. */
export function leaseDefaults(lease: JsonObject): void {
  fill(lease, 'spec', {});
}

/** Of a container's limits: the default is the most, what is asked for by default is the default limit, or the least. */
export function limitRangeDefaults(range: JsonObject): void {
  for (const limit of itemsOf(objectOr(range.spec), 'limits')) {
    if (limit.type !== 'Container') continue;
    limit.default = { ...objectOr(limit.max), ...objectOr(limit.default) };
    const { min, defaultRequest } = limit;
    limit.defaultRequest = {
      ...objectOr(min),
      ...objectOr(limit.default),
      ...objectOr(defaultRequest),
    };
    if (Object.keys(objectOr(limit.default)).length === 0) delete limit.default;
    if (Object.keys(objectOr(limit.defaultRequest)).length === 0) delete limit.defaultRequest;
  }
}
