import { compileExpression } from '@aquifer/model/expressions';

/** Attributes that an expression may begin with (Envoy docs "Attributes"; of Istio's Envoy, the peers). */
const ROOTS: readonly string[] = [
  ...['request', 'response', 'connection', 'source', 'destination', 'upstream', 'xds'],
  ...['metadata', 'filter_state', 'downstream_peer', 'upstream_peer'],
];

/** What is wrong with an expression, as the end of a sentence; null if proxies take it. */
export function expressionProblem(text: string): string | null {
  const known = judged.get(text);
  if (known !== undefined) return known;
  const compiled = compileExpression(text);
  const problem = compiled.ok ? null : `is no expression of CEL: ${compiled.error}`;
  if (judged.size >= MAX_JUDGED) judged.clear();
  judged.set(text, problem);
  return problem;
}

/** Names that have no value in any request, so that whatever asks for them comes to nothing. */
export function unknownAttributes(text: string): readonly string[] {
  const compiled = compileExpression(text);
  return compiled.ok ? [...compiled.value.roots].filter((root) => !ROOTS.includes(root)) : [];
}

/** One expression stands on many chains. */
const judged = new Map<string, string | null>();
const MAX_JUDGED = 1_000;
