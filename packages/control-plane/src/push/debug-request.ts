import type { Any } from '@bufbuild/protobuf/wkt';
import type { Caller } from './authenticate.ts';

/** A request for the control plane's own state, as istioctl sends it over ADS: answered once, and nothing follows. */
export interface DebugRequest {
  /** `istio.io/debug`, or with a page's name behind it. */
  readonly typeUrl: string;
  readonly names: readonly string[];
  /** Null on the plaintext port. */
  readonly caller: Caller | null;
}

/** One resource of an answer. */
export interface NamedAny {
  readonly name: string;
  readonly any: Any;
}

/** Throws a Refusal for who may not ask, and for what there is not. */
export type AnswerDebug = (request: DebugRequest) => readonly NamedAny[];

export const DEBUG_TYPE = 'istio.io/debug';

export function isDebugType(typeUrl: string): boolean {
  return typeUrl === DEBUG_TYPE || typeUrl.startsWith(`${DEBUG_TYPE}/`);
}
