import { isSliceOf } from '@aquifer/model/kubernetes';
import type { EndpointSlice, Service } from '@aquifer/model/resources';
import type { Storage } from './storage/storage.ts';

/** A ready endpoint of a Service's port, from its EndpointSlices; null when there is none. */
export function serviceEndpoint(
  storage: Storage,
  namespace: string,
  name: string,
  port: number,
): { readonly host: string; readonly port: number } | null {
  const service = storage.get('/services', namespace, name) as Service | null;
  const servicePort = service?.spec?.ports?.find((item) => item.port === port);
  if (service === null || servicePort === undefined) return null;
  for (const object of storage.list('discovery.k8s.io/endpointslices', namespace)) {
    const slice = object as EndpointSlice;
    if (!isSliceOf(slice, service)) continue;
    const slicePort = slice.ports?.find(
      (item) => (item.name ?? '') === (servicePort.name ?? ''),
    )?.port;
    const ready = slice.endpoints?.find(({ conditions }) => conditions?.ready !== false);
    const [host] = ready?.addresses ?? [];
    if (host !== undefined && slicePort) return { host, port: slicePort };
  }
  return null;
}
