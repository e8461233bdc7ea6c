import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { crdFiles } from '../generate/crds.ts';

/**
 * A Kubernetes API server estimates what the CEL rules of a CustomResourceDefinition may cost, and refuses those whose
 * cost has no bound worth the name. So lists, maps and texts that rules run over are bounded in the schema.
 */
interface Schema {
  readonly type?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly maxLength?: number;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly 'x-kubernetes-validations'?: readonly { readonly rule: string }[];
}

interface Crd {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

const ITERATES = /\.(all|exists|exists_one|map|filter)\(/;

/** Paths of rules that run once for each item of an unbounded list or map, or over one. */
function unboundedRules(schema: Schema, path: string, isBounded: boolean): string[] {
  const rules = schema['x-kubernetes-validations'] ?? [];
  const own = rules
    .filter(({ rule }) => !isBounded || (ITERATES.test(rule) && !iterationIsBounded(schema, rule)))
    .map(({ rule }) => `${path}: ${rule}`);
  return [...own, ...childrenOf(schema, path, isBounded)];
}

function childrenOf(schema: Schema, path: string, isBounded: boolean): string[] {
  const { items, properties = {}, additionalProperties } = schema;
  const found = Object.entries(properties).flatMap(([name, child]) =>
    unboundedRules(child, `${path}.${name}`, isBounded),
  );
  if (items !== undefined) {
    found.push(...unboundedRules(items, `${path}[]`, isBounded && schema.maxItems !== undefined));
  }
  if (typeof additionalProperties === 'object') {
    const isBoundedMap = isBounded && schema.maxProperties !== undefined;
    found.push(...unboundedRules(additionalProperties, `${path}{}`, isBoundedMap));
  }
  return found;
}

/** Whether everything that the rule can iterate over has a bound: `self`, or the fields that it names. */
function iterationIsBounded(schema: Schema, rule: string): boolean {
  if (/\bself\.(all|exists|exists_one|map|filter)\(/.test(rule)) return hasBound(schema);
  const fields = [...rule.matchAll(/\bself((?:\.\w+)+)\.(?:all|exists|exists_one|map|filter)\(/g)];
  return fields.every(([, path = '']) => hasBound(fieldAt(schema, path.slice(1).split('.'))));
}

function fieldAt(schema: Schema, names: readonly string[]): Schema {
  return names.reduce<Schema>((at, name) => at.properties?.[name] ?? {}, schema);
}

function hasBound({ type, maxItems, maxProperties }: Schema): boolean {
  return type === 'array'
    ? maxItems !== undefined
    : type !== 'object' || maxProperties !== undefined;
}

const crds = [...crdFiles().values()].flatMap((text) =>
  parseAllDocuments(text).map((document) => document.toJS() as Crd),
);

test.for(crds.map((crd) => [crd.metadata.name, crd] as const))(
  'the rules of %s run over what is bounded',
  ([, crd]) => {
    const found = crd.spec.versions.flatMap(({ name, schema }) =>
      unboundedRules(schema.openAPIV3Schema, name, true),
    );
    expect(found).toEqual([]);
  },
);
