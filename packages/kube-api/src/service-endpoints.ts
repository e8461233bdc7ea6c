import { SERVICE_NAME_LABEL } from '@aquifer/model/kubernetes';
import type { EndpointSlice, Service } from '@aquifer/model/resources';
import type { Storage } from './storage/storage.ts';

/** Where something listens. */
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
    .filter(({ metadata }) => metadata.labels?.[SERVICE_NAME_LABEL] === service)
    .flatMap((slice) => readyEndpoints(slice as EndpointSlice, portName));
}

function readyEndpoints({ ports, endpoints }: EndpointSlice, portName: string): Endpoint[] {
  const port = ports?.find(({ name }) => (name ?? '') === portName)?.port;
  if (!port) return [];
  return (endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses }) => addresses.slice(0, 1).map((host) => ({ host, port })));
}

/** A ready endpoint of a Service's port; null when there is none. */
export function serviceEndpoint(
  storage: Storage,
  namespace: string,
  name: string,
  port: number,
): Endpoint | null {
  const service = storage.get('/services', namespace, name) as Service | null;
  const servicePort = service?.spec?.ports?.find((item) => item.port === port);
  if (servicePort === undefined) return null;
  return servicePortEndpoints(storage, namespace, name, servicePort.name ?? '')[0] ?? null;
}
