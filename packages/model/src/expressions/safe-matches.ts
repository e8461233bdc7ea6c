/** Patterns in expressions, by an engine that does not backtrack: the library's own would try some for ever. */
import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import { MAX_PATTERN_COST, patternCost } from './pattern-cost.ts';

const MAX_PATTERN_LENGTH = 1_024;
const SAFE_MATCHES = 'matchesPattern';

/** Of patterns that are kept, which clients may choose. */
const MAX_KEPT_COST = 2 * MAX_PATTERN_COST;
const patterns = new Map<string, RE2JS>();
let keptCost = 0;

/** Throws for a pattern that is none, or too large. */
export function compiledPattern(pattern: string): RE2JS {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    const cost = patternCost(pattern);
    if (cost > MAX_PATTERN_COST) throw new Error('the pattern is too large');
    compiled = RE2JS.compile(pattern);
    if (keptCost + cost > MAX_KEPT_COST) {
      patterns.clear();
      keptCost = 0;
    }
    patterns.set(pattern, compiled);
    keptCost += cost;
  }
  return compiled;
}

function isFoundIn(text: string, pattern: string): boolean {
  if (pattern.length > MAX_PATTERN_LENGTH) throw new Error('the pattern is too long');
  return compiledPattern(pattern).matcher(text).find();
}

/** The environment with functions for the patterns of its expressions, whose calls `useSafeMatches` turns to them. */
export function withSafeMatches(environment: Environment): Environment {
  return environment
    .registerFunction(`string.${SAFE_MATCHES}(string): bool`, isFoundIn)
    .registerFunction('matches(string, string): bool', isFoundIn);
}

/** Calls of `matches` in the expression become those that are safe. */
export function useSafeMatches(node: ASTNode): void {
  if (node.op === 'rcall') {
    const call = node.args as unknown as unknown[];
    if (call[0] === 'matches') call[0] = SAFE_MATCHES;
  }
  for (const part of partsOf(node.args)) useSafeMatches(part);
}

/** Nodes in the arguments of another, at whatever depth of lists. */
export function partsOf(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(partsOf);
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : [];
}
