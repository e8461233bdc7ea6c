export type { Attributes, Expression } from './expression.ts';
export { compileExpression, durationAttribute } from './expression.ts';
export { MAX_PATTERN_COST, patternCost } from './pattern-cost.ts';
export { compiledPattern, useSafeMatches, withSafeMatches } from './safe-matches.ts';
