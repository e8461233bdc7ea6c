/** One rule of an AuthorizationPolicy as ztunnel's group of clauses (spec control-plane 2.9, ADR 13). */
import type { AuthorizationMatch, StringMatch } from '@aquifer/model';
import { EMPTY_MATCH, parseCidr } from '@aquifer/model';
import type { AuthorizationRule } from '@aquifer/model/resources';

type Source = NonNullable<NonNullable<AuthorizationRule['from']>[number]['source']>;
type Operation = NonNullable<NonNullable<AuthorizationRule['to']>[number]['operation']>;
type When = NonNullable<AuthorizationRule['when']>[number];

/** What a rule is converted for. */
interface RuleContext {
  readonly action: 'ALLOW' | 'DENY';
  /** Of the policy: a bare service account belongs to it. */
  readonly namespace: string;
}

/** What of a rule ztunnel cannot judge. */
export interface RuleFindings {
  /** Names of fields and conditions that need HTTP. */
  readonly httpAttributes: Set<string>;
  /** `field "value"` of what is no port, address or range. */
  readonly unreadable: Set<string>;
}

/**
 * The clauses of one rule, ANDed: operations, sources, then each condition. What cannot be judged makes a DENY rule hold
 * and an ALLOW rule not hold: of a DENY rule a clause that nothing is left of is left out, and so always true.
 */
export function convertRule(
  rule: AuthorizationRule,
  context: RuleContext,
): { readonly group: AuthorizationMatch[][]; readonly findings: RuleFindings } {
  const { to = [], from = [], when = [] } = rule;
  const findings: RuleFindings = { httpAttributes: new Set(), unreadable: new Set() };
  const read = <Part>(
    parts: readonly Part[],
    convert: (part: Part, reader: MatchReader) => Partial<AuthorizationMatch>,
  ) =>
    parts.map((part) => {
      const reader = new MatchReader(context, findings);
      return reader.finish(convert(part, reader));
    });
  const clauses: AuthorizationMatch[][] = [];
  if (to.length > 0)
    clauses.push(read(to, ({ operation = {} }, reader) => operationMatch(operation, reader)));
  if (from.length > 0)
    clauses.push(read(from, ({ source = {} }, reader) => sourceMatch(source, reader)));
  for (const condition of when) clauses.push(read([condition], conditionMatch));
  const group =
    context.action === 'ALLOW' ? clauses : clauses.filter((clause) => !clause.some(isEmpty));
  return { group, findings };
}

function isEmpty(match: AuthorizationMatch): boolean {
  return Object.values(match).every((values: readonly unknown[]) => values.length === 0);
}

type Values = readonly string[] | undefined;

/** Reads the lists of one match. */
class MatchReader {
  readonly #context: RuleContext;
  readonly #findings: RuleFindings;
  #canHold = true;

  constructor(context: RuleContext, findings: RuleFindings) {
    this.#context = context;
    this.#findings = findings;
  }

  /** Bare service accounts are of this namespace. */
  get namespace(): string {
    return this.#context.namespace;
  }

  needsHttp(attribute: string): void {
    this.#findings.httpAttributes.add(attribute);
  }

  /** One of these must be. An unreadable one might be it: a DENY then does not ask, an ALLOW goes by the others. */
  anyOf<T>(field: string, values: Values, parse: (value: string) => T | null): T[] {
    const { parsed, isComplete } = this.#parse(field, values, parse);
    if (isComplete) return parsed;
    if (this.#context.action === 'DENY') return [];
    if (parsed.length === 0) this.#canHold = false;
    return parsed;
  }

  /** None of these may be. An unreadable one might be it: an ALLOW then never holds. */
  noneOf<T>(field: string, values: Values, parse: (value: string) => T | null): T[] {
    const { parsed, isComplete } = this.#parse(field, values, parse);
    if (!isComplete && this.#context.action === 'ALLOW') this.#canHold = false;
    return parsed;
  }

  finish(match: Partial<AuthorizationMatch>): AuthorizationMatch {
    return this.#canHold ? { ...EMPTY_MATCH, ...match } : EMPTY_MATCH;
  }

  #parse<T>(field: string, values: Values = [], parse: (value: string) => T | null) {
    const parsed: T[] = [];
    for (const value of values) {
      const item = parse(value);
      if (item === null) this.#findings.unreadable.add(`${field} "${value}"`);
      else parsed.push(item);
    }
    return { parsed, isComplete: parsed.length === values.length };
  }
}

const HTTP_OPERATIONS = [
  'hosts',
  'notHosts',
  'methods',
  'notMethods',
  'paths',
  'notPaths',
] as const;
const HTTP_SOURCES = [
  'requestPrincipals',
  'notRequestPrincipals',
  'remoteIpBlocks',
  'notRemoteIpBlocks',
] as const;

function operationMatch(operation: Operation, reader: MatchReader): Partial<AuthorizationMatch> {
  note(operation, HTTP_OPERATIONS, reader);
  return {
    destinationPorts: reader.anyOf('ports', operation.ports, port),
    notDestinationPorts: reader.noneOf('notPorts', operation.notPorts, port),
  };
}

function sourceMatch(source: Source, reader: MatchReader): Partial<AuthorizationMatch> {
  note(source, HTTP_SOURCES, reader);
  const account = accountIn(reader.namespace);
  return {
    sourceIps: reader.anyOf('ipBlocks', source.ipBlocks, parseCidr),
    notSourceIps: reader.noneOf('notIpBlocks', source.notIpBlocks, parseCidr),
    namespaces: reader.anyOf('namespaces', source.namespaces, pattern),
    notNamespaces: reader.noneOf('notNamespaces', source.notNamespaces, pattern),
    principals: reader.anyOf('principals', source.principals, pattern),
    notPrincipals: reader.noneOf('notPrincipals', source.notPrincipals, pattern),
    serviceAccounts: reader.anyOf('serviceAccounts', source.serviceAccounts, account),
    notServiceAccounts: reader.noneOf('notServiceAccounts', source.notServiceAccounts, account),
  };
}

function note<Name extends string>(
  clause: { readonly [Key in Name]?: readonly string[] | undefined },
  names: readonly Name[],
  reader: MatchReader,
): void {
  for (const name of names) if ((clause[name]?.length ?? 0) > 0) reader.needsHttp(name);
}

type Field = keyof AuthorizationMatch;

interface ConnectionKey {
  readonly positive: Field;
  readonly negative: Field;
  readonly parse: (value: string) => unknown;
}

/** The condition keys that are properties of a connection; every other key needs HTTP. */
const CONNECTION_KEYS: ReadonlyMap<string, ConnectionKey> = new Map([
  ['source.ip', { positive: 'sourceIps', negative: 'notSourceIps', parse: parseCidr }],
  ['source.namespace', { positive: 'namespaces', negative: 'notNamespaces', parse: pattern }],
  ['source.principal', { positive: 'principals', negative: 'notPrincipals', parse: pattern }],
  [
    'destination.ip',
    { positive: 'destinationIps', negative: 'notDestinationIps', parse: parseCidr },
  ],
  [
    'destination.port',
    { positive: 'destinationPorts', negative: 'notDestinationPorts', parse: port },
  ],
]);

function conditionMatch(
  { key, values, notValues }: When,
  reader: MatchReader,
): Partial<AuthorizationMatch> {
  const known = CONNECTION_KEYS.get(key);
  if (known === undefined) {
    reader.needsHttp(key);
    return {};
  }
  return {
    [known.positive]: reader.anyOf(key, values, known.parse),
    [known.negative]: reader.noneOf(key, notValues, known.parse),
  };
}

/** `*` is presence, `*x` a suffix, `x*` a prefix, anything else exact. */
function pattern(value: string): StringMatch {
  if (value === '*') return { kind: 'presence' };
  if (value.startsWith('*')) return { kind: 'suffix', value: value.slice(1) };
  if (value.endsWith('*')) return { kind: 'prefix', value: value.slice(0, -1) };
  return { kind: 'exact', value };
}

/** `namespace/name`, or a bare name in the policy's own namespace. */
function accountIn(policyNamespace: string) {
  return (value: string) => {
    const slash = value.indexOf('/');
    if (slash < 0) return { namespace: policyNamespace, serviceAccount: value };
    return { namespace: value.slice(0, slash), serviceAccount: value.slice(slash + 1) };
  };
}

/** A port number from 0 to 65535; a name is none. */
function port(value: string): number | null {
  return /^\d+$/.test(value) && Number(value) <= 65_535 ? Number(value) : null;
}
