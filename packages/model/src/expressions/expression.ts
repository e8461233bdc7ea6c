/**
 * Expressions of the Common Expression Language over attributes of requests and connections, as Envoy has them (Envoy docs
 * "Attributes"). They are bounded: in length, in loops within loops, and a pattern never backtracks.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { RE2JS } from 're2js';
import { err, ok, type Result } from '../result.ts';

/** Values by name: whole numbers are bigints. What is not there has no value. */
export type Attributes = Readonly<Record<string, unknown>>;

export interface Expression {
  /** The attributes that it begins with, such as `request`: no others need to be there. */
  readonly roots: ReadonlySet<string>;
  /** An error if there is no value, such as that of an attribute that is not there. */
  evaluate(attributes: Attributes): Result<unknown, string>;
}

const MAX_LENGTH = 4_096;
const MAX_LOOPS = 2;
const MAX_PATTERN_LENGTH = 1_024;
const LIMITS = { maxAstNodes: 1_000, maxDepth: 50, maxListElements: 200, maxCallArguments: 16 };

/** The library's own backtracks. */
const SAFE_MATCHES = 'matchesPattern';

const environment = new Environment({
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  limits: LIMITS,
})
  .registerFunction(`string.${SAFE_MATCHES}(string): bool`, isFoundIn)
  .registerFunction('matches(string, string): bool', isFoundIn);

/** The error says what is wrong with it. */
export function compileExpression(text: string): Result<Expression, string> {
  if (text.length > MAX_LENGTH) return err(`is longer than ${MAX_LENGTH} characters`);
  try {
    const evaluate = environment.parse(text);
    const survey = surveyOf(evaluate.ast);
    if (survey.loops > MAX_LOOPS) return err(`has more than ${MAX_LOOPS} loops within each other`);
    const { valid, error } = evaluate.check();
    if (!valid) return err(firstLine(error));
    return ok({
      roots: survey.roots,
      evaluate: (attributes) => {
        try {
          return ok(evaluate(attributes as Record<string, unknown>));
        } catch (error) {
          return err(firstLine(error));
        }
      },
    });
  } catch (error) {
    return err(firstLine(error));
  }
}

/** A duration as attributes have it. */
export function durationAttribute(ms: number): unknown {
  return Duration.fromMilliseconds(ms);
}

function firstLine(error: unknown): string {
  const [line = ''] = (error as Error).message.split('\n');
  return line;
}

interface Survey {
  readonly roots: Set<string>;
  loops: number;
}

const LOOPS: readonly unknown[] = ['all', 'exists', 'exists_one', 'map', 'filter'];

/** What it is made of; calls of `matches` become those that are safe. */
function surveyOf(ast: ASTNode): Survey {
  const survey: Survey = { roots: new Set(), loops: 0 };
  visit(ast, 0, survey);
  return survey;
}

function visit(node: ASTNode, loops: number, survey: Survey): void {
  survey.loops = Math.max(survey.loops, loops);
  const { op } = node;
  if (op === 'id') survey.roots.add(node.args);
  let inner = loops;
  if (op === 'rcall') {
    const call = node.args as unknown as unknown[];
    if (LOOPS.includes(call[0])) inner += 1;
    if (call[0] === 'matches') call[0] = SAFE_MATCHES;
  }
  for (const part of partsOf(node.args)) visit(part, inner, survey);
}

/** Nodes in the arguments of another, at whatever depth of lists. */
function partsOf(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(partsOf);
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : [];
}

const MAX_PATTERNS = 256;
const patterns = new Map<string, RE2JS>();

function isFoundIn(text: string, pattern: string): boolean {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    if (pattern.length > MAX_PATTERN_LENGTH) throw new Error('the pattern is too long');
    compiled = RE2JS.compile(pattern);
    if (patterns.size >= MAX_PATTERNS) patterns.clear();
    patterns.set(pattern, compiled);
  }
  return compiled.matcher(text).find();
}
