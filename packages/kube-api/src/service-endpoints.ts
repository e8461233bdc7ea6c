import { isObject, listOr, objectOr } from './json.ts';
import type { Storage } from './storage/storage.ts';

/** A ready endpoint of a Service's port, from its EndpointSlices; null when there is none. */
export function serviceEndpoint(
  storage: Storage,
  namespace: string,
  name: string,
  port: number,
): { readonly host: string; readonly port: number } | null {
  const service = storage.get('/services', namespace, name);
  const ports = listOr(objectOr(service?.spec).ports).filter(isObject);
  const servicePort = ports.find((item) => item.port === port);
  if (servicePort === undefined) return null;
  for (const slice of storage.list('discovery.k8s.io/endpointslices', namespace)) {
    if (slice.metadata.labels?.['kubernetes.io/service-name'] !== name) continue;
    const slicePort = listOr(slice.ports)
      .filter(isObject)
      .find((item) => (item.name ?? '') === (servicePort.name ?? ''));
    const endpoint = listOr(slice.endpoints)
      .filter(isObject)
      .find((item) => objectOr(item.conditions).ready !== false);
    const [host] = listOr(endpoint?.addresses);
    if (typeof host === 'string' && typeof slicePort?.port === 'number') {
      return { host, port: slicePort.port };
    }
  }
  return null;
}
