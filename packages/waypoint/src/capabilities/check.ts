import { patternCost } from '@aquifer/model/expressions';
import {
  type UriTemplateMatchConfig,
  UriTemplateMatchConfigSchema,
} from '@aquifer/wire/gen/envoy/extensions/path/match/uri_template/v3_pb';
import { type RegexMatcher, RegexMatcherSchema } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import { TypedStructSchema } from '@aquifer/wire/gen/udpa/type/v1_pb';
import {
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageShape,
} from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { ConfigProblem } from '../compile/problem.ts';
import type { Capability, CapabilityTable } from './capability.ts';

/** Messages within each other, also in an Any. Protobuf reads no deeper by itself, but begins anew in each Any. */
const MAX_DEPTH = 100;

/** Of all regular expressions of a resource together. */
const MAX_COST = 262_144;

type Fields = Readonly<Record<string, unknown>>;

/** A field as the walk needs it. */
interface Step {
  /** In proto form. */
  readonly name: string;
  readonly capability: Capability;
  readonly kind: DescField['fieldKind'];
  /** Of the messages that it holds; null for other values, and for types of protobuf's own. */
  readonly message: DescMessage | null;
  readonly hasValue: (value: number) => boolean;
  /** Undefined if it is not set. */
  readonly read: (fields: Fields) => unknown;
}

/**
 * Refuses what the table refuses, fields and types that it does not know, and what is nested too deeply. Plans are made
 * once for each type of message, as there may be 100,000 routes.
 */
export class CapabilityCheck {
  readonly #table: CapabilityTable;
  readonly #plans = new Map<DescMessage, readonly Step[]>();
  /** Of the expressions of a resource so far. */
  #cost = 0;

  constructor(table: CapabilityTable) {
    this.#table = table;
  }

  /** Throws `ConfigProblem`, which names the field in proto form: `filter_chains[0].filters[1].http_filters[2]`. */
  check<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>): void {
    this.#cost = 0;
    this.#visit(schema, message, []);
  }

  /** `path` is changed on the way, and is as it was in the end. */
  #visit(desc: DescMessage, message: Message, path: string[]): void {
    this.#count(desc, message, path);
    if (path.length > MAX_DEPTH) {
      throw new ConfigProblem(pathText(path), `is nested deeper than ${MAX_DEPTH} messages`);
    }
    const unknown = message.$unknown?.[0];
    if (unknown !== undefined) {
      const field = `field number ${unknown.no} of ${desc.typeName}`;
      throw new ConfigProblem(pathText(path), `${field} is unknown here; remove what sets it`);
    }
    for (const step of this.#planOf(desc)) {
      const value = step.read(message as unknown as Fields);
      if (value !== undefined) this.#visitField(step, value, path);
      else if (step.capability.kind === 'extension' && step.kind === 'message')
        throw new ConfigProblem(
          pathText([...path, step.name]),
          'is required: it says what this is',
        );
    }
  }

  /** Compiling expressions takes long: about 10 µs for each step (2026-11). */
  #count(desc: DescMessage, message: Message, path: readonly string[]): void {
    if (desc === RegexMatcherSchema) this.#cost += patternCost((message as RegexMatcher).regex);
    else if (desc === UriTemplateMatchConfigSchema)
      this.#cost += (message as UriTemplateMatchConfig).pathTemplate.length;
    else return;
    if (this.#cost > MAX_COST)
      throw new ConfigProblem(pathText(path), 'is one regular expression too many for a resource');
  }

  #visitField(step: Step, value: unknown, path: string[]): void {
    const { capability, kind, name } = step;
    if (capability.kind === 'refused') {
      throw new ConfigProblem(pathText([...path, name]), capability.reason);
    }
    if (capability.kind !== 'handled' && capability.kind !== 'extension') return;
    switch (kind) {
      case 'list':
        for (const [i, one] of (value as readonly unknown[]).entries()) {
          this.#visitValue(step, one, [path, `${name}[${i}]`]);
        }
        return;
      case 'map':
        for (const [key, one] of Object.entries(value as Fields)) {
          this.#visitValue(step, one, [path, `${name}[${key}]`]);
        }
        return;
      case 'scalar':
      case 'enum':
      case 'message':
        this.#visitValue(step, value, [path, name]);
    }
  }

  #visitValue(step: Step, value: unknown, [path, segment]: readonly [string[], string]): void {
    const { capability, message, hasValue } = step;
    if (typeof value === 'number' && !hasValue(value)) {
      throw new ConfigProblem(pathText([...path, segment]), `${value} is unknown`);
    }
    if (capability.kind === 'extension') {
      // Its fields stand where it does; most are called `typed_config`, which says nothing.
      const own = segment === 'typed_config' ? [] : [segment];
      path.push(...own);
      this.#visitAny(value as Any, capability.types, path);
      path.length -= own.length;
    } else if (message !== null) {
      path.push(segment);
      this.#visit(message, value as Message, path);
      path.pop();
    }
  }

  #visitAny(any: Any, types: Readonly<Record<string, Capability>>, path: string[]): void {
    const name = innerType(any);
    const capability = Object.hasOwn(types, name) ? types[name]! : null;
    if (capability === null || capability.kind === 'refused') {
      const reason = capability === null ? 'is unknown here' : `is refused: ${capability.reason}`;
      throw new ConfigProblem(pathText(path), `${name || 'a type without a name'} ${reason}`);
    }
    const entry = this.#table.get(name);
    if (capability.kind !== 'handled' || entry === undefined) return;
    this.#visit(entry.message, decode(entry.message, any.value, path), path);
  }

  #planOf(desc: DescMessage): readonly Step[] {
    const known = this.#plans.get(desc);
    if (known !== undefined) return known;
    const entry = this.#table.get(desc.typeName);
    if (entry === undefined) throw new Error(`the capability table lacks ${desc.typeName}`);
    const plan = desc.fields.map((field) => stepOf(field, entry.fields[field.name]));
    this.#plans.set(desc, plan);
    return plan;
  }
}

function stepOf(field: DescField, capability: Capability | undefined): Step {
  if (capability === undefined) throw new Error(`the capability table lacks ${String(field)}`);
  const message = field.message ?? null;
  const enumeration = field.enum;
  return {
    name: field.name,
    capability,
    kind: field.fieldKind,
    message: message === null || isLeaf(message) ? null : message,
    hasValue: (value) => enumeration === undefined || enumeration.value[value] !== undefined,
    read: readerOf(field),
  };
}

/** Types of protobuf's own have no fields to judge. */
function isLeaf({ typeName }: DescMessage): boolean {
  return typeName.startsWith('google.protobuf.');
}

function readerOf(field: DescField): Step['read'] {
  const { localName, oneof } = field;
  if (oneof !== undefined) {
    const group = oneof.localName;
    return (fields) => {
      const chosen = fields[group] as { readonly case?: string; readonly value?: unknown };
      return chosen.case === localName ? chosen.value : undefined;
    };
  }
  if (field.fieldKind === 'scalar' || field.fieldKind === 'enum') {
    return (fields) => (isDefault(fields[localName]) ? undefined : fields[localName]);
  }
  if (field.fieldKind === 'message') return (fields) => fields[localName];
  return (fields) => (isEmpty(fields[localName]!) ? undefined : fields[localName]);
}

function isDefault(value: unknown): boolean {
  return !value || (value instanceof Uint8Array && value.length === 0);
}

/** Of a list or a map. */
function isEmpty(value: object): boolean {
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}

/** What is in an Any: protobuf reads no deeper than 100 messages in one. */
function decode(message: DescMessage, value: Uint8Array, path: readonly string[]): Message {
  try {
    return fromBinary(message, value);
  } catch (error) {
    throw new ConfigProblem(pathText(path), (error as Error).message);
  }
}

/** Of what cannot be described here, only the name travels (udpa.type.v1.TypedStruct). */
function innerType(any: Any): string {
  const name = typeName(any.typeUrl);
  if (name !== TypedStructSchema.typeName) return name;
  return typeName(fromBinary(TypedStructSchema, any.value).typeUrl);
}

function typeName(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
}

const MAX_SHOWN = 12;

/** Of a path that goes on without end, its beginning. */
function pathText(path: readonly string[]): string {
  const shown = path.slice(0, MAX_SHOWN).join('.');
  return path.length > MAX_SHOWN ? `${shown}.…` : shown;
}
