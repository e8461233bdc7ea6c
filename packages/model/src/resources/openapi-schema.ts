/**
 * OpenAPI v3 documents from the zod descriptions, in the structural form that Kubernetes wants of a CRD: no `$ref`,
 * no `anyOf` (but for int-or-string), unknown fields kept only where marked.
 */
import { z } from 'zod';
import type { PrinterColumn, ResourceDefinition } from './resource.ts';

/** A structural OpenAPI v3 schema (Kubernetes: "Specifying a structural schema"). */
export interface OpenApiSchema {
  type?: string;
  format?: string;
  description?: string;
  nullable?: boolean;
  default?: unknown;
  enum?: unknown[];
  properties?: Record<string, OpenApiSchema>;
  required?: string[];
  additionalProperties?: OpenApiSchema | boolean;
  items?: OpenApiSchema;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean | number;
  exclusiveMaximum?: boolean | number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  multipleOf?: number;
  uniqueItems?: boolean;
  pattern?: string;
  allOf?: OpenApiSchema[];
  anyOf?: OpenApiSchema[];
  oneOf?: OpenApiSchema[];
  not?: OpenApiSchema;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-embedded-resource'?: boolean;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: readonly string[];
  'x-kubernetes-map-type'?: 'atomic' | 'granular';
  'x-kubernetes-patch-merge-key'?: string;
  'x-kubernetes-patch-strategy'?: string;
  'x-kubernetes-validations'?: {
    rule: string;
    message?: string;
    messageExpression?: string;
    optionalOldSelf?: boolean;
  }[];
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
}

type RawSchema = Record<string, unknown>;

const copied = [
  'format',
  'description',
  'default',
  'required',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'pattern',
];

function isRaw(value: unknown): value is RawSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bounds(raw: RawSchema): Partial<OpenApiSchema> {
  const { minimum, maximum } = raw;
  const isInt32 = minimum === -2147483648 || maximum === 2147483647;
  const kept: Partial<OpenApiSchema> = {};
  if (typeof minimum === 'number' && minimum > -2147483648) kept.minimum = minimum;
  if (typeof maximum === 'number' && maximum < 2147483647) kept.maximum = maximum;
  if (raw.type === 'integer') {
    const int64 = minimum === -Number.MAX_SAFE_INTEGER || maximum === Number.MAX_SAFE_INTEGER;
    kept.format = int64 && !isInt32 ? 'int64' : 'int32';
  }
  return kept;
}

/** `anyOf` that only says "or null" becomes `nullable`. */
function alternatives(raw: RawSchema): OpenApiSchema | null {
  if (!Array.isArray(raw.anyOf)) return null;
  const options: RawSchema[] = raw.anyOf.filter(isRaw);
  const [only, ...others] = options.filter((option) => option.type !== 'null');
  if (only === undefined) return {};
  if (others.length === 0)
    return { ...structural({ ...raw, anyOf: undefined, ...only }), nullable: true };
  const values = [only, ...others].map((option) => option.const);
  if (values.some((value) => value === undefined))
    return { 'x-kubernetes-preserve-unknown-fields': true };
  return { type: typeof values[0] === 'number' ? 'integer' : 'string', enum: values };
}

function containers(raw: RawSchema, result: OpenApiSchema): void {
  if (isRaw(raw.properties)) {
    result.properties = Object.fromEntries(
      Object.entries(raw.properties).map(([name, field]) => [name, structural(field)]),
    );
  }
  if (raw.items !== undefined) result.items = structural(raw.items);
  if (!isRaw(raw.additionalProperties)) return;
  if (Object.keys(raw.additionalProperties).length > 0) {
    result.additionalProperties = structural(raw.additionalProperties);
  } else {
    result['x-kubernetes-preserve-unknown-fields'] = true;
  }
}

function structural(input: unknown): OpenApiSchema {
  if (!isRaw(input)) return { 'x-kubernetes-preserve-unknown-fields': true };
  const raw = input;
  const result: Record<string, unknown> = {};
  for (const key of copied) if (raw[key] !== undefined) result[key] = raw[key];
  for (const [key, value] of Object.entries(raw)) {
    if (key.startsWith('x-kubernetes-')) result[key] = value;
  }
  if (raw['x-kubernetes-int-or-string'] === true) return result;
  const choice = alternatives(raw);
  if (choice !== null) return { ...choice, ...result };
  if (Array.isArray(raw.type)) {
    result.type = raw.type.find((name) => name !== 'null');
    result.nullable = true;
  } else if (typeof raw.type === 'string') result.type = raw.type;
  else result['x-kubernetes-preserve-unknown-fields'] = true;
  if (Array.isArray(raw.enum)) result.enum = raw.enum;
  if (raw.const !== undefined) result.enum = [raw.const];
  Object.assign(result, bounds(raw));
  containers(raw, result);
  return result;
}

const converted = new WeakMap<ResourceDefinition, OpenApiSchema>();

/** The structural schema of a resource's whole object; made once for each definition. */
export function openApiSchema(definition: ResourceDefinition): OpenApiSchema {
  const known = converted.get(definition);
  if (known !== undefined) return known;
  const raw = z.toJSONSchema(definition.schema, {
    io: 'input',
    reused: 'inline',
    unrepresentable: 'any',
  });
  const result = structural(raw);
  converted.set(definition, result);
  return result;
}

/** The structural schema of a part that is no resource of its own, such as `metadata`. */
export function openApiSchemaOf(schema: z.ZodType): OpenApiSchema {
  return structural(
    z.toJSONSchema(schema, { io: 'input', reused: 'inline', unrepresentable: 'any' }),
  );
}

/** Patch directives are for built-in kinds: a CRD that carries them is refused as having unknown fields. */
function withoutPatchHints(schema: OpenApiSchema): OpenApiSchema {
  const { properties, items, additionalProperties: extra } = schema;
  const kept = Object.entries(schema).filter(([key]) => !key.startsWith('x-kubernetes-patch-'));
  const result = Object.fromEntries(kept) as OpenApiSchema;
  if (properties !== undefined) {
    result.properties = Object.fromEntries(
      Object.entries(properties).map(([name, field]) => [name, withoutPatchHints(field)]),
    );
  }
  if (items !== undefined) result.items = withoutPatchHints(items);
  if (typeof extra === 'object') result.additionalProperties = withoutPatchHints(extra);
  return result;
}

function versionOf(definition: ResourceDefinition, version: string): Record<string, unknown> {
  const { subresources, columns } = definition;
  const {
    properties = {},
    required = [],
    ...schema
  } = withoutPatchHints(openApiSchema(definition));
  const openAPIV3Schema = {
    ...schema,
    properties: { ...properties, metadata: { type: 'object' } },
    // `apiVersion`, `kind` and `metadata` are checked by the server itself, as for every object.
    ...(required.includes('spec') ? { required: ['spec'] } : {}),
  };
  return {
    name: version,
    served: true,
    storage: version === definition.versions[0],
    schema: { openAPIV3Schema },
    ...(subresources?.status === true ? { subresources: { status: {} } } : {}),
    ...(columns === undefined ? {} : { additionalPrinterColumns: columns.map(printerColumn) }),
  };
}

function printerColumn(column: PrinterColumn): PrinterColumn {
  return { ...column };
}

/**
 * The API server lets only approved definitions into a `*.k8s.io` group (KEP-1111). By the others, tools of the Gateway
 * API tell which release a cluster has.
 */
const GATEWAY_API_ANNOTATIONS = {
  'api-approved.kubernetes.io': 'https://github.com/kubernetes-sigs/gateway-api',
  'gateway.networking.k8s.io/bundle-version': 'v1.6.1',
  'gateway.networking.k8s.io/channel': 'standard',
} as const;

/** The CustomResourceDefinition object that makes a Kubernetes API serve the resource. */
export function customResourceDefinitionOf(
  definition: ResourceDefinition,
): Record<string, unknown> & { metadata: { name: string } } {
  const { group, kind, plural, singular, shortNames, categories } = definition;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      ...(group.endsWith('.k8s.io') ? { annotations: GATEWAY_API_ANNOTATIONS } : {}),
    },
    spec: {
      group,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular,
        ...(shortNames === undefined ? {} : { shortNames: [...shortNames] }),
        ...(categories === undefined ? {} : { categories: [...categories] }),
      },
      scope: definition.namespaced ? 'Namespaced' : 'Cluster',
      versions: definition.versions.map((version) => versionOf(definition, version)),
    },
  };
}
