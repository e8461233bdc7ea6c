/** What listeners of all roles are made of. */
import type {
  ListenerFilterChainMatchPredicateSchema,
  ListenerFilterSchema,
  ListenerSchema,
} from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { HttpInspectorSchema } from '@aquifer/wire/gen/envoy/extensions/filters/listener/http_inspector/v3_pb';
import { TlsInspectorSchema } from '@aquifer/wire/gen/envoy/extensions/filters/listener/tls_inspector/v3_pb';
import { extension, type Init, seconds } from './packed.ts';

type ListenerFilter = Init<typeof ListenerFilterSchema>;
type Predicate = Init<typeof ListenerFilterChainMatchPredicateSchema>;

export function socketAddress(address: string, port: number) {
  const portSpecifier = { case: 'portValue' as const, value: port };
  return { address: { case: 'socketAddress' as const, value: { address, portSpecifier } } };
}

/** For filters that need the first bytes: nothing that a client says late closes its connection. */
export const PATIENT: Pick<
  Init<typeof ListenerSchema>,
  'continueOnListenerFiltersTimeout' | 'listenerFiltersTimeout'
> = { continueOnListenerFiltersTimeout: true, listenerFiltersTimeout: seconds(0) };

/** Finds out about TLS, and which server is asked for; not where `disabled` holds. */
export function tlsInspector(disabled?: Predicate): ListenerFilter {
  const filter = extension('envoy.filters.listener.tls_inspector', TlsInspectorSchema, {
    initialReadBufferSize: 512,
  });
  return { ...filter, ...(disabled && { filterDisabled: disabled }) };
}

/** Finds out whether plaintext looks like HTTP; not where `disabled` holds. */
export function httpInspector(disabled?: Predicate): ListenerFilter {
  const filter = extension('envoy.filters.listener.http_inspector', HttpInspectorSchema);
  return { ...filter, ...(disabled && { filterDisabled: disabled }) };
}

/** A predicate that holds on each of the ports. */
export function onPorts(ports: readonly number[]): Predicate {
  const rules = ports.map((port) => ({
    rule: { case: 'destinationPortRange' as const, value: { start: port, end: port + 1 } },
  }));
  const [only] = rules;
  return rules.length === 1 && only ? only : { rule: { case: 'orMatch', value: { rules } } };
}

/** A predicate that holds on all other ports. */
export function offPorts(ports: readonly number[]): Predicate {
  return { rule: { case: 'notMatch', value: onPorts(ports) } };
}
