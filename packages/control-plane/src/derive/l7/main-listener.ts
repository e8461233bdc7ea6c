/** `main_internal`: from the destination of a tunnel to the chain that serves it (spec control-plane 6.1). */
import { TrafficDirection } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  type Listener,
  type ListenerFilterSchema,
  ListenerSchema,
} from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import {
  ApplicationProtocolInputSchema,
  DestinationIPInputSchema,
  DestinationPortInputSchema,
} from '@aquifer/wire/gen/envoy/extensions/matching/common_inputs/network/v3_pb';
import {
  type IPMatcher_IPRangeMatcherSchema,
  IPMatcherSchema,
  type Matcher_OnMatchSchema,
} from '@aquifer/wire/gen/xds/type/matcher/v3_pb';
import { create } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import type { ObjectRef } from '../../ingest/kinds.ts';
import { isHeadless, type MeshService, type VirtualAddress } from '../mesh-service.ts';
import type { ProxyTelemetry } from '../telemetry/proxy-telemetry.ts';
import { noRoute } from './access-log.ts';
import type { Judges } from './authorization.ts';
import { DIRECT_CHAINS, directChains } from './filter-chains.ts';
import { httpInspector, onPorts } from './listener-parts.ts';
import { inboundCluster, MAIN_INTERNAL } from './names.ts';
import { type Init, packed } from './packed.ts';
import { type L7Port, l7Ports } from './port-protocol.ts';
import { ORIGINAL_DST_FILTER } from './tunnel-listeners.ts';

type OnMatch = Init<typeof Matcher_OnMatchSchema>;
type RangeMatcher = Init<typeof IPMatcher_IPRangeMatcherSchema>;
type ListenerFilterInit = Init<typeof ListenerFilterSchema>;

/** What a headless service has instead of a virtual address: nobody dials it (recording l7/29). */
const NO_ADDRESS: VirtualAddress = { address: '0.0.0.0', prefixLength: null };

interface ListedService {
  readonly hostname: string;
  readonly ports: readonly L7Port[];
  readonly vips: readonly VirtualAddress[];
}

export interface MainListenerInputs {
  /** Sorted by hostname. */
  readonly attached: readonly MeshService[];
  /** What holds on every chain. */
  readonly judges: Judges;
  readonly telemetry: ProxyTelemetry;
  /** What both come from. */
  readonly judgeSources: readonly ObjectRef[];
  /** Of the workloads that are bound to the waypoint themselves. */
  readonly workloadAddresses: readonly string[];
}

/** Without the chains of services, which `withChains` adds. */
export function mainListener(inputs: MainListenerInputs): Listener {
  const { attached, telemetry, workloadAddresses } = inputs;
  const services = attached.map((service) => ({
    hostname: service.hostname,
    ports: l7Ports(service.ports),
    vips: isHeadless(service) ? [NO_ADDRESS] : service.addresses,
  }));
  const ranges = services.filter(({ vips }) => vips.length > 0).map(serviceRange);
  if (workloadAddresses.length > 0) ranges.push(workloadRange(workloadAddresses));
  return create(ListenerSchema, {
    name: MAIN_INTERNAL,
    accessLog: noRoute(telemetry),
    trafficDirection: TrafficDirection.INBOUND,
    listenerSpecifier: { case: 'internalListener', value: {} },
    listenerFilters: [ORIGINAL_DST_FILTER, inspector(services, workloadAddresses.length > 0)],
    filterChains: directChains(inputs),
    // Never absent, even without a range: chains without a matcher would all match everything.
    filterChainMatcher: byDestination(ranges),
  });
}

const { number: CHAINS_FIELD } = ListenerSchema.field.filterChains;

/**
 * The listener with more chains, all of them marshalled already: of a field that may repeat, parts may follow each other
 * anywhere (protobuf encoding), so that what did not change is not marshalled again.
 */
export function withChains(listener: Uint8Array, chains: readonly Uint8Array[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const chain of chains) writer.tag(CHAINS_FIELD, WireType.LengthDelimited).bytes(chain);
  return Buffer.concat([writer.finish(), listener]);
}

function byDestination(rangeMatchers: RangeMatcher[]) {
  const tree = {
    input: { name: 'ip', typedConfig: packed(DestinationIPInputSchema) },
    treeType: {
      case: 'customMatch' as const,
      value: { name: 'ip', typedConfig: packed(IPMatcherSchema, { rangeMatchers }) },
    },
  };
  return { matcherType: { case: 'matcherTree' as const, value: tree } };
}

function cidr({ address, prefixLength }: VirtualAddress) {
  return { addressPrefix: address, prefixLen: prefixLength ?? (address.includes(':') ? 128 : 32) };
}

/** All virtual addresses of the service, then its ports. */
function serviceRange({ hostname, ports, vips }: ListedService): RangeMatcher {
  const map = Object.fromEntries(
    ports.map((port) => [String(port.port), portMatch(hostname, port)]),
  );
  return { ranges: vips.map(cidr), onMatch: exactMatch('port', DestinationPortInputSchema, map) };
}

function portMatch(hostname: string, { port, protocol }: L7Port): OnMatch {
  const http = inboundCluster('http', port, hostname);
  const tcp = inboundCluster('tcp', port, hostname);
  if (protocol === 'unknown') return sniffed({ http, tcp });
  return toChain(protocol === 'tcp' ? tcp : http);
}

function workloadRange(addresses: readonly string[]): RangeMatcher {
  const ranges = addresses.map((address) => cidr({ address, prefixLength: null }));
  return { ranges, onMatch: sniffed(DIRECT_CHAINS) };
}

/** By what the HTTP inspector found. The quotes are Envoy's: its input is a quoted list. */
function sniffed({ http, tcp }: { readonly http: string; readonly tcp: string }): OnMatch {
  const map = { "'h2c'": toChain(http), "'http/1.1'": toChain(http) };
  return exactMatch('application-protocol', ApplicationProtocolInputSchema, map, toChain(tcp));
}

function toChain(name: string): OnMatch {
  const typedConfig = packed(StringValueSchema, { value: name });
  return { onMatch: { case: 'action', value: { name, typedConfig } } };
}

type InputSchema = typeof DestinationPortInputSchema | typeof ApplicationProtocolInputSchema;

function exactMatch(
  name: string,
  input: InputSchema,
  map: Record<string, OnMatch>,
  onNoMatch?: OnMatch,
): OnMatch {
  const tree = {
    input: { name, typedConfig: packed(input) },
    treeType: { case: 'exactMatchMap' as const, value: { map } },
  };
  const value = { matcherType: { case: 'matcherTree' as const, value: tree } };
  return {
    onMatch: { case: 'matcher', value: { ...value, ...(onNoMatch && { onNoMatch }) } },
  };
}

/** Sniffing waits for bytes, so it is off on ports whose protocol is known; workloads have no known ports. */
function inspector(services: readonly ListedService[], hasWorkloads: boolean): ListenerFilterInit {
  const isHttpByPort = new Map<number, Set<boolean | null>>();
  for (const { port, protocol } of services.flatMap(({ ports }) => ports)) {
    const found = isHttpByPort.get(port) ?? new Set();
    isHttpByPort.set(port, found.add(protocol === 'unknown' ? null : protocol !== 'tcp'));
  }
  const known = [...isHttpByPort]
    .filter(([, found]) => found.size === 1 && !found.has(null))
    .map(([port]) => port)
    .toSorted((a, b) => a - b);
  if (hasWorkloads || known.length === 0) return httpInspector();
  return httpInspector(onPorts(known));
}
