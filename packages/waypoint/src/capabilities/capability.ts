import type { DescMessage } from '@bufbuild/protobuf';

/** What becomes of a field that is set. Values of a handled field that are not done are refused where it is compiled. */
export type Capability =
  | { readonly kind: 'handled' }
  /** Handled, and read to its last field where it is compiled: whether a field in it is refused depends on others. */
  | { readonly kind: 'judged' }
  /** Handled: an Any, by the names of the types that may stand in it. Every other type is refused. */
  | { readonly kind: 'extension'; readonly types: Readonly<Record<string, Capability>> }
  /** Not read: what is served is the same without it. */
  | { readonly kind: 'harmless'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** The fields of one type of message, by their names in proto form. */
export interface MessageCapabilities {
  readonly message: DescMessage;
  readonly fields: Readonly<Record<string, Capability>>;
}

/** What is in force for resources of some kind. */
export type CapabilityTable = ReadonlyMap<string, MessageCapabilities>;

export const HANDLED: Capability = { kind: 'handled' };
export const JUDGED: Capability = { kind: 'judged' };

export function capabilitiesOf(
  message: DescMessage,
  fields: MessageCapabilities['fields'],
): MessageCapabilities {
  return { message, fields };
}

/** For fields that nothing is to be said about. */
export function handled(...names: readonly string[]): Record<string, Capability> {
  return Object.fromEntries(names.map((name) => [name, HANDLED]));
}

export function extension(types: Readonly<Record<string, Capability>>): Capability {
  return { kind: 'extension', types };
}

export function harmless(reason: string): Capability {
  return { kind: 'harmless', reason };
}

export function refused(reason: string): Capability {
  return { kind: 'refused', reason };
}

/** `overlay` says it for the messages that it has; the rest is as in `base`. */
export function tableOf(
  base: readonly MessageCapabilities[],
  overlay: readonly MessageCapabilities[] = [],
): CapabilityTable {
  return new Map([...base, ...overlay].map((entry) => [entry.message.typeName, entry]));
}
