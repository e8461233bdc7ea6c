/** What an analysis says: Istio's codes where it has one (`IST…`), our own for the rest (`AQF…`). */
import type { ObjectRef } from '../ingest/kinds.ts';

type MessageLevel = 'Error' | 'Warning' | 'Info';

export type MessageCode =
  | 'IST0101'
  | 'IST0106'
  | 'IST0123'
  | 'IST0127'
  | 'IST0130'
  | 'IST0166'
  | 'IST0171'
  | 'AQF0101'
  | 'AQF0102'
  | 'AQF0103'
  | 'AQF0104'
  | 'AQF0105'
  | 'AQF0106';

const KINDS: Readonly<
  Record<MessageCode, { readonly name: string; readonly level: MessageLevel }>
> = {
  IST0101: { name: 'ReferencedResourceNotFound', level: 'Error' },
  IST0106: { name: 'SchemaValidationError', level: 'Error' },
  IST0123: { name: 'NamespaceMultipleInjectionLabels', level: 'Warning' },
  IST0127: { name: 'NoMatchingWorkloadsFound', level: 'Warning' },
  IST0130: { name: 'VirtualServiceUnreachableRule', level: 'Warning' },
  IST0166: { name: 'IneffectiveSelector', level: 'Warning' },
  IST0171: { name: 'NegativeConditionStatus', level: 'Warning' },
  AQF0101: { name: 'UnknownField', level: 'Warning' },
  AQF0102: { name: 'UnsupportedResource', level: 'Error' },
  AQF0103: { name: 'PolicyNotEnforcedAsWritten', level: 'Warning' },
  AQF0104: { name: 'RouteHasNoEffect', level: 'Warning' },
  AQF0105: { name: 'RuleNeverMatches', level: 'Warning' },
  AQF0106: { name: 'ResourceNotRead', level: 'Warning' },
};

export interface AnalysisMessage {
  readonly code: MessageCode;
  /** Of the code, such as `UnknownField`. */
  readonly name: string;
  readonly level: MessageLevel;
  readonly object: ObjectRef;
  /** Such as `spec.rules[0]`; empty for the object as a whole. */
  readonly path: string;
  readonly message: string;
}

export function analysisMessage(
  code: MessageCode,
  object: ObjectRef,
  message: string,
  path = '',
): AnalysisMessage {
  const { name, level } = KINDS[code];
  return { code, name, level, object, path, message };
}

/** Errors first; then by object, path and code. */
export function inOrder(messages: Iterable<AnalysisMessage>): AnalysisMessage[] {
  const key = ({ level, object, path, code }: AnalysisMessage): string =>
    [LEVELS.indexOf(level), object.kind, object.namespace, object.name, path, code].join('\0');
  return [...messages].toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

const LEVELS: readonly MessageLevel[] = ['Error', 'Warning', 'Info'];
