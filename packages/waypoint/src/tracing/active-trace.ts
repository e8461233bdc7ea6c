// hot path: every request that may be traced
import { getHeader, type HeaderList, removeHeader } from '@aquifer/http';
import type { CompiledTracing } from '../compile/tracing.ts';
import { isTraced } from './sampling.ts';
import {
  dropContext,
  NOTHING_SAID,
  newId,
  readContext,
  type SaidContext,
  type TraceContext,
  writeContext,
} from './trace-context.ts';

/** The span of a request that is under way. */
export interface ActiveTrace {
  readonly tracing: CompiledTracing;
  readonly context: TraceContext;
  /** What the one before calls it; null to call it as the route does. */
  readonly operation: string | null;
}

const OPERATION = 'x-envoy-decorator-operation';

/** Null if the client's context makes no sense: it is left as it is then, and nothing is told. */
export function beginTrace(tracing: CompiledTracing, headers: HeaderList): ActiveTrace | null {
  const isOurChoice = isTraced(headers, tracing.sampling);
  const said = readContext(headers, tracing.format);
  if (said === null) return null;
  const operation = getHeader(headers, OPERATION);
  if (operation !== null) removeHeader(headers, OPERATION);
  return {
    tracing,
    context: contextOf(said, isSampled(said, isOurChoice, tracing), tracing),
    operation: operation || null,
  };
}

/** By B3 the one before decides; by W3C it can only decide against (as Envoy's tracers do). */
function isSampled(said: SaidContext, isOurChoice: boolean, { format }: CompiledTracing): boolean {
  if (said.isSampled === null) return isOurChoice;
  return said.isSampled && (format !== 'w3c' || isOurChoice);
}

function contextOf(
  { traceId, spanId, parentId, traceState }: SaidContext,
  isSampled: boolean,
  { traceIdBytes, spanIds }: CompiledTracing,
): TraceContext {
  if (traceId === null || spanId === null) {
    const { traceState } = NOTHING_SAID;
    return {
      traceId: newId(traceIdBytes),
      spanId: newId(8),
      parentId: null,
      isSampled,
      traceState,
    };
  }
  if (spanIds === 'of-the-client') return { traceId, spanId, parentId, isSampled, traceState };
  return { traceId, spanId: newId(8), parentId: spanId, isSampled, traceState };
}

/** What goes on with a request. */
export function passOnTrace({ tracing, context }: ActiveTrace, headers: HeaderList): void {
  if (tracing.contexts === 'dropped') dropContext(headers, tracing.format);
  else writeContext(headers, context, tracing.format);
}
