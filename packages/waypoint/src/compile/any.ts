import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { fromBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { ConfigProblem } from './problem.ts';

/** The message inside an Any, which must be of the given type. */
export function unpack<Schema extends DescMessage>(
  any: Any | undefined,
  schema: Schema,
  path: string,
): MessageShape<Schema> {
  if (any === undefined)
    throw new ConfigProblem(path, `expected ${schema.typeName}, found nothing`);
  if (!isType(any, schema))
    throw new ConfigProblem(path, `expected ${schema.typeName}, found ${any.typeUrl}`);
  return fromBinary(schema, any.value);
}

export function isType(any: Any | undefined, schema: DescMessage): boolean {
  return any?.typeUrl.endsWith(`/${schema.typeName}`) ?? false;
}

/** More than 24 days: a timer of Node that is given more fires at once, and again and again. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Milliseconds, no more than a timer takes; null when absent. */
export function durationMs(
  duration: { readonly seconds: bigint; readonly nanos: number } | undefined,
): number | null {
  if (duration === undefined) return null;
  return Math.min(Number(duration.seconds) * 1000 + duration.nanos / 1e6, MAX_TIMER_MS);
}
