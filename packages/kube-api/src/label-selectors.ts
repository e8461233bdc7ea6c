/** Label selectors on the wire, parsed as apimachinery `labels.Parse` does, with its complaints. */
import type { Requirement } from '@aquifer/model/kubernetes';
import { ownValue } from './json.ts';
import { badRequest } from './status.ts';

/** Operators of the wire, as those of expressions. */
const OPERATORS: Readonly<Record<string, string>> = {
  in: 'In',
  '=': 'In',
  '==': 'In',
  notin: 'NotIn',
  '!=': 'NotIn',
  '>': 'Gt',
  gt: 'Gt',
  '<': 'Lt',
  lt: 'Lt',
};

const token = /\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)/y;

function tokensOf(selector: string): string[] {
  const tokens: string[] = [];
  token.lastIndex = 0;
  for (let match = token.exec(selector); match !== null; match = token.exec(selector)) {
    tokens.push(match[1] ?? '');
  }
  return tokens;
}

const symbols = new Set(['=', '==', '!=', '!', '<', '>', '(', ')', ',', '']);

/** A reader of tokens; after the last it reads the empty one. */
class Parser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(selector: string) {
    this.#tokens = tokensOf(selector);
  }

  next(): string {
    return this.#tokens[this.#at] ?? '';
  }

  take(): string {
    const taken = this.next();
    this.#at++;
    return taken;
  }

  requirements(): Requirement[] {
    const found: Requirement[] = [];
    while (this.next() !== '') {
      const first = this.next();
      if (symbols.has(first) && first !== '!') {
        throw badRequest(`found '${first}', expected: !, identifier, or 'end of string'`);
      }
      found.push(this.#requirement());
      const after = this.take();
      if (after === '') return found;
      if (after !== ',') {
        throw badRequest(`found '${after}', expected: ',' or 'end of string'`);
      }
      if (symbols.has(this.next()) && this.next() !== '!') {
        throw badRequest(`found '${this.next()}', expected: identifier after ','`);
      }
    }
    return found;
  }

  #requirement(): Requirement {
    const isAbsent = this.next() === '!';
    if (isAbsent) this.take();
    const key = this.take();
    if (symbols.has(key)) throw unparsed(`found '${key}', expected: identifier`);
    if (this.next() === '' || this.next() === ',') {
      return { key, operator: isAbsent ? 'DoesNotExist' : 'Exists' };
    }
    const word = this.take();
    const operator = ownValue(OPERATORS, word);
    if (operator === undefined) {
      throw unparsed(`found '${word}', expected: in, notin, =, ==, !=, gt, lt`);
    }
    const isSet = word === 'in' || word === 'notin';
    return { key, operator, values: isSet ? this.#values() : [this.#value()] };
  }

  #value(): string {
    if (this.next() === '' || this.next() === ',') return '';
    const value = this.take();
    if (symbols.has(value)) throw unparsed(`found '${value}', expected: identifier`);
    return value;
  }

  #values(): string[] {
    const open = this.take();
    if (open !== '(') throw unparsed(`found '${open}' expected: '('`);
    const values: string[] = [];
    for (;;) {
      const value = symbols.has(this.next()) ? '' : this.take();
      values.push(value);
      const after = this.take();
      if (after === ')') return values;
      if (after !== ',') throw unparsed(`found '${after}', expected: ',' or ')'`);
    }
  }
}

function unparsed(problem: string): Error {
  return badRequest(`unable to parse requirement: ${problem}`);
}

/** All must hold. Throws 400 if the selector does not parse. */
export function parseRequirements(selector: string): readonly Requirement[] {
  return new Parser(selector).requirements();
}
