/**
 * Expressions of the Common Expression Language over attributes of requests and connections, as Envoy has them (Envoy docs
 * "Attributes"). They are bounded: in length, in loops within loops, and a pattern never backtracks.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { err, ok, type Result } from '../result.ts';
import { partsOf, useSafeMatches, withSafeMatches } from './safe-matches.ts';

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
/** What is made longer in a loop is made longer each time. */
const MAX_ADDITIONS_IN_LOOPS = 8;
const LIMITS = { maxAstNodes: 1_000, maxDepth: 50, maxListElements: 200, maxCallArguments: 16 };

const environment = withSafeMatches(
  new Environment({
    unlistedVariablesAreDyn: true,
    homogeneousAggregateLiterals: false,
    limits: LIMITS,
  }),
);

/** The error says what is wrong with it. */
export function compileExpression(text: string): Result<Expression, string> {
  if (text.length > MAX_LENGTH) return err(`is longer than ${MAX_LENGTH} characters`);
  try {
    const evaluate = environment.parse(text);
    const survey = surveyOf(evaluate.ast);
    if (survey.loops > MAX_LOOPS) return err(`has more than ${MAX_LOOPS} loops within each other`);
    if (survey.additions > MAX_ADDITIONS_IN_LOOPS) {
      return err(`has more than ${MAX_ADDITIONS_IN_LOOPS} additions within loops`);
    }
    useSafeMatches(evaluate.ast);
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
  /** Within loops. */
  additions: number;
}

const LOOPS: readonly unknown[] = ['all', 'exists', 'exists_one', 'map', 'filter'];

/** What it is made of. */
function surveyOf(ast: ASTNode): Survey {
  const survey: Survey = { roots: new Set(), loops: 0, additions: 0 };
  visit(ast, 0, survey);
  return survey;
}

function visit(node: ASTNode, loops: number, survey: Survey): void {
  survey.loops = Math.max(survey.loops, loops);
  const { op } = node;
  if (op === 'id') survey.roots.add(node.args);
  if (op === '+' && loops > 0) survey.additions += 1;
  let inner = loops;
  if (op === 'rcall') {
    const call = node.args as unknown as unknown[];
    if (LOOPS.includes(call[0])) inner += 1;
  }
  for (const part of partsOf(node.args)) visit(part, inner, survey);
}
