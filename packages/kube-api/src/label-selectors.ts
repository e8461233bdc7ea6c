/** Label selectors on the wire, parsed as apimachinery `labels.Parse` does, with its complaints. */
import { stringOr } from './json.ts';
import { badRequest } from './status.ts';

/** Whether labels are selected. */
export type LabelTest = (labels: Readonly<Record<string, unknown>>) => boolean;

/** One requirement; `operator` is one of those of the wire. */
export function valueTest(key: string, operator: string, values: readonly string[]): LabelTest {
  switch (operator) {
    case 'in':
    case '=':
    case '==':
      return (labels) => values.includes(stringOr(labels[key]) ?? '\0');
    case 'notin':
    case '!=':
      return (labels) => !values.includes(stringOr(labels[key]) ?? '\0');
    case '>':
    case 'gt':
      return (labels) => Number(labels[key]) > Number(values[0]);
    default:
      return (labels) => Number(labels[key]) < Number(values[0]);
  }
}

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
const operators = ['in', 'notin', '=', '==', '!=', 'gt', 'lt', '<', '>'];

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

  requirements(): LabelTest[] {
    const tests: LabelTest[] = [];
    while (this.next() !== '') {
      const first = this.next();
      if (symbols.has(first) && first !== '!') {
        throw badRequest(`found '${first}', expected: !, identifier, or 'end of string'`);
      }
      tests.push(this.#requirement());
      const after = this.take();
      if (after === '') return tests;
      if (after !== ',') {
        throw badRequest(`found '${after}', expected: ',' or 'end of string'`);
      }
      if (symbols.has(this.next()) && this.next() !== '!') {
        throw badRequest(`found '${this.next()}', expected: identifier after ','`);
      }
    }
    return tests;
  }

  #requirement(): LabelTest {
    const isAbsent = this.next() === '!';
    if (isAbsent) this.take();
    const key = this.take();
    if (symbols.has(key)) throw unparsed(`found '${key}', expected: identifier`);
    if (this.next() === '' || this.next() === ',') {
      return isAbsent ? (labels) => !(key in labels) : (labels) => key in labels;
    }
    const operator = this.take();
    if (!operators.includes(operator)) {
      throw unparsed(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
    }
    const isSet = operator === 'in' || operator === 'notin';
    return valueTest(key, operator, isSet ? this.#values() : [this.#value()]);
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
export function parseLabelTests(selector: string): readonly LabelTest[] {
  return new Parser(selector).requirements();
}
