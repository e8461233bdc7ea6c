/** Configuration for Envoys that are not Istio's build. */
import { LISTENER_TYPE } from '@aquifer/wire';
import type { Resource } from '../derive/resource.ts';
import type { ConnectedProxy } from './proxy.ts';

/**
 * The factory of the strings that a tunnel's listener passes on. Istio's build has one of its own, which others refuse the
 * listener for; what both make is the same. The names are equally long, so that bytes can be exchanged where they stand.
 */
const ISTIO_FACTORY = Buffer.from('istio.hashable_string');
const STOCK_FACTORY = Buffer.from('envoy.hashable_string');

const exchanged = new WeakMap<Resource, Uint8Array>();

/** The bytes of a resource as this proxy takes them. */
export function bytesFor(
  { metadata }: Pick<ConnectedProxy, 'metadata'>,
  typeUrl: string,
  resource: Resource,
): Uint8Array {
  if (typeUrl !== LISTENER_TYPE || isIstioBuild(metadata)) return resource.bytes;
  const known = exchanged.get(resource) ?? withStockFactory(resource.bytes);
  exchanged.set(resource, known);
  return known;
}

/** What pilot-agent says of the Envoy beside it. */
function isIstioBuild({ ISTIO_VERSION, ISTIO_PROXY_SHA }: ConnectedProxy['metadata']): boolean {
  return [ISTIO_VERSION, ISTIO_PROXY_SHA].some((text) => typeof text === 'string' && text !== '');
}

function withStockFactory(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  let at = copy.indexOf(ISTIO_FACTORY);
  if (at < 0) return bytes;
  for (; at >= 0; at = copy.indexOf(ISTIO_FACTORY, at)) STOCK_FACTORY.copy(copy, at);
  return copy;
}
