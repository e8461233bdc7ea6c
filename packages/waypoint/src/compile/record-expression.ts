import { compileExpression } from '@aquifer/model/expressions';
import type { AccessRecord } from './access-record.ts';
import { attributesOf } from './attributes.ts';
import { ConfigProblem } from './problem.ts';

/** The value of an expression for a request or connection; null if it has none. */
export type RecordExpression = (record: AccessRecord) => unknown;

/** Throws `ConfigProblem` for what is no expression. */
export function compileRecordExpression(text: string, path: string): RecordExpression {
  const compiled = compileExpression(text);
  if (!compiled.ok) throw new ConfigProblem(path, `is no expression of CEL: ${compiled.error}`);
  const { roots, evaluate } = compiled.value;
  return (record) => {
    const result = evaluate(attributesOf(record, roots));
    return result.ok ? result.value : null;
  };
}

/** A value as text; null for what has none, such as a map. */
export function textOfValue(value: unknown): string | null {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      return value instanceof Date ? value.toISOString() : null;
  }
}
