import { isObject, listOr, objectOr, stringOr } from './json.ts';
import type { Storage } from './storage/storage.ts';

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** The ready endpoints of a Service's port, which its name tells, from its EndpointSlices. */
export function servicePortEndpoints(
  storage: Storage,
  namespace: string,
  service: string,
  portName: string,
): readonly Endpoint[] {
  return storage
    .list('discovery.k8s.io/endpointslices', namespace)
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service)
    .flatMap((slice) => {
      const ports = listOr(slice.ports).filter(isObject);
      const port = ports.find((item) => (item.name ?? '') === portName)?.port;
      if (typeof port !== 'number') return [];
      return listOr(slice.endpoints)
        .filter(isObject)
        .filter((endpoint) => objectOr(endpoint.conditions).ready !== false)
        .flatMap((endpoint) => listOr(endpoint.addresses).slice(0, 1))
        .map((host) => ({ host: String(host), port }));
    });
}

/** A ready endpoint of a Service's port; null when there is none. */
export function serviceEndpoint(
  storage: Storage,
  namespace: string,
  name: string,
  port: number,
): Endpoint | null {
  const service = storage.get('/services', namespace, name);
  const ports = listOr(objectOr(service?.spec).ports).filter(isObject);
  const servicePort = ports.find((item) => item.port === port);
  if (servicePort === undefined) return null;
  const portName = stringOr(servicePort.name) ?? '';
  return servicePortEndpoints(storage, namespace, name, portName)[0] ?? null;
}
