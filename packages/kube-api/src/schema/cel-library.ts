/**
 * The CEL of Kubernetes: the language and those functions of its libraries that rules of definitions use most (Kubernetes
 * "Common Expression Language", CEL options and libraries). Missing: sets, semver, `format`, URLs and IP addresses as values.
 */
import { isIP } from 'node:net';
import { quantityValue } from '@aquifer/model';
import { compiledPattern, useSafeMatches, withSafeMatches } from '@aquifer/model/expressions';
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { isObject } from '../json.ts';
import { isCidr, isUri } from './formats.ts';

/** `quantity('100m')`. */
class Quantity {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  static parse(text: string): Quantity {
    const value = quantityValue(text);
    if (Number.isNaN(value)) throw new Error(`${JSON.stringify(text)} is no quantity`);
    return new Quantity(value);
  }
}

function order(left: unknown, right: unknown): number {
  const [a, b] = [left, right] as [number, number];
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The extreme of a list. Throws for an empty one, as CEL does. */
function extreme(list: readonly unknown[], sign: 1 | -1): unknown {
  const [first] = list.toSorted((a, b) => sign * order(a, b));
  if (first === undefined) throw new Error('an empty list has no least and no greatest item');
  return first;
}

function sum(list: readonly unknown[]): unknown {
  return (list as bigint[]).reduce(
    (total, item) => total + item,
    typeof list[0] === 'number' ? (0 as never) : 0n,
  );
}

function findAll(text: string, pattern: string): string[] {
  const matcher = compiledPattern(pattern).matcher(text);
  const found: string[] = [];
  while (matcher.find()) found.push(matcher.group() ?? '');
  return found;
}

/** Texts, and the calls of `has` outside them. */
const TEXT_OR_HAS = /'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\bhas(?=\s*\()/g;

interface Runner {
  run(node: ASTNode, context: unknown): unknown;
}

interface Checker {
  check(node: ASTNode, context: unknown): unknown;
  getType(name: string): unknown;
}

/** `has(list[0].field)`: the library's own `has` takes names only. */
function hasField({ args }: { readonly args: readonly ASTNode[] }): object {
  const [selection] = args;
  if (selection?.op !== '.') throw new Error('has() takes the field of something');
  const [holder, field] = selection.args as unknown as readonly [ASTNode, string];
  return {
    typeCheck: (checker: Checker, _macro: unknown, context: unknown) => {
      checker.check(holder, context);
      return checker.getType('bool');
    },
    evaluate: (runner: Runner, _macro: unknown, context: unknown) => {
      const value = runner.run(holder, context);
      if (!isObject(value)) throw new Error(`what has() looks for ${field} in is no object`);
      return Object.hasOwn(value, field);
    },
  };
}

/** A rule as a function of its variables. Throws for a text that is no expression. */
export function parseRule(
  environment: Environment,
  rule: string,
): ReturnType<Environment['parse']> {
  const text = rule.replace(TEXT_OR_HAS, (found) => (found === 'has' ? 'hasField' : found));
  const parsed = environment.parse(text);
  useSafeMatches(parsed.ast);
  return parsed;
}

/** An environment in which variables may have any name. */
export function kubernetesCel(): Environment {
  const environment = new Environment({
    unlistedVariablesAreDyn: true,
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
  });
  return withSafeMatches(environment)
    .registerFunction('hasField(ast): bool', hasField)
    .registerType('Quantity', Quantity)
    .registerFunction('quantity(string): Quantity', (text: string) => Quantity.parse(text))
    .registerFunction(
      'isQuantity(string): bool',
      (text: string) => !Number.isNaN(quantityValue(text)),
    )
    .registerFunction('Quantity.sign(): int', ({ value }: Quantity) => BigInt(Math.sign(value)))
    .registerFunction('Quantity.isInteger(): bool', ({ value }: Quantity) =>
      Number.isSafeInteger(value),
    )
    .registerFunction('Quantity.asInteger(): int', ({ value }: Quantity) => BigInt(value))
    .registerFunction('Quantity.asApproximateFloat(): double', ({ value }: Quantity) => value)
    .registerFunction(
      'Quantity.add(Quantity): Quantity',
      (a: Quantity, b: Quantity) => new Quantity(a.value + b.value),
    )
    .registerFunction(
      'Quantity.sub(Quantity): Quantity',
      (a: Quantity, b: Quantity) => new Quantity(a.value - b.value),
    )
    .registerFunction('Quantity.compareTo(Quantity): int', (a: Quantity, b: Quantity) =>
      BigInt(order(a.value, b.value)),
    )
    .registerFunction(
      'Quantity.isGreaterThan(Quantity): bool',
      (a: Quantity, b: Quantity) => a.value > b.value,
    )
    .registerFunction(
      'Quantity.isLessThan(Quantity): bool',
      (a: Quantity, b: Quantity) => a.value < b.value,
    )
    .registerFunction('isIP(string): bool', (text: string) => isIP(text) !== 0)
    .registerFunction('isCIDR(string): bool', isCidr)
    .registerFunction('isURL(string): bool', isUri)
    .registerFunction(
      'string.find(string): string',
      (text: string, pattern: string) => findAll(text, pattern)[0] ?? '',
    )
    .registerFunction('string.findAll(string): list<string>', findAll)
    .registerFunction(
      'string.replace(string, string): string',
      (text: string, from: string, to: string) => text.replaceAll(from, () => to),
    )
    .registerFunction('string.charAt(int): string', (text: string, at: bigint) =>
      text.charAt(Number(at)),
    )
    .registerFunction('list<dyn>.isSorted(): bool', (list: readonly unknown[]) =>
      list.every((item, at) => at === 0 || order(list[at - 1], item) <= 0),
    )
    .registerFunction('list<dyn>.sum(): dyn', sum)
    .registerFunction('list<dyn>.min(): dyn', (list: readonly unknown[]) => extreme(list, 1))
    .registerFunction('list<dyn>.max(): dyn', (list: readonly unknown[]) => extreme(list, -1))
    .registerFunction('list<dyn>.indexOf(dyn): int', (list: readonly unknown[], item: unknown) =>
      BigInt(list.indexOf(item)),
    );
}
