/** Envoy's extension slots: a name and a packed message. */
import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { durationMs } from '../routing/durations.ts';

/** What a message is created from: its fields, never a message that was created already. */
export type Init<Desc extends DescMessage> = Extract<
  MessageInitShape<Desc>,
  { readonly $typeName?: never }
>;

/** The init of every message of the form `{ name, typed_config }` whose config is a oneof. */
export interface Extension {
  readonly name: string;
  readonly configType: { readonly case: 'typedConfig'; readonly value: Any };
}

/** A message as an `Any`. */
export function packed<Desc extends DescMessage>(schema: Desc, init?: MessageInitShape<Desc>): Any {
  return anyPack(schema, create(schema, init));
}

/** An extension by name, with its configuration. */
export function extension<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init?: MessageInitShape<Desc>,
): Extension {
  return { name, configType: { case: 'typedConfig', value: packed(schema, init) } };
}

/** A google.protobuf.Duration of whole seconds. */
export function seconds(count: number): { readonly seconds: bigint } {
  return { seconds: BigInt(count) };
}

/** A google.protobuf.Duration of milliseconds, which may have fractions down to a nanosecond. */
export function duration(ms: number): { readonly seconds: bigint; readonly nanos: number } {
  const whole = Math.floor(ms / 1000);
  return { seconds: BigInt(whole), nanos: Math.round((ms - whole * 1000) * 1_000_000) };
}

/** The same of text, as resources write durations; undefined for none. */
export function durationOf(text: string | undefined): ReturnType<typeof duration> | undefined {
  return text === undefined ? undefined : duration(durationMs(text));
}
