import { isSliceOf } from '@aquifer/model/kubernetes';
import type { EndpointSlice, Service } from '@aquifer/model/resources';
import type { Storage } from './storage/storage.ts';

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** A ready endpoint of a Service's port, from its EndpointSlices; null when there is none. */
export function serviceEndpoint(
  storage: Storage,
  namespace: string,
  name: string,
  port: number,
): Endpoint | null {
  const service = storage.get('/services', namespace, name) as Service | null;
  const servicePort = service?.spec?.ports?.find((item) => item.port === port);
  if (service === null || servicePort === undefined) return null;
  return (
    storage
      .list('discovery.k8s.io/endpointslices', namespace)
      .map((object) => object as EndpointSlice)
      .filter((slice) => isSliceOf(slice, service))
      .flatMap((slice) => readyEndpoint(slice, servicePort.name ?? '') ?? [])[0] ?? null
  );
}

function readyEndpoint(slice: EndpointSlice, portName: string): Endpoint | null {
  const port = slice.ports?.find(({ name }) => (name ?? '') === portName)?.port;
  const ready = slice.endpoints?.find(({ conditions }) => conditions?.ready !== false);
  const [host] = ready?.addresses ?? [];
  return host === undefined || !port ? null : { host, port };
}
