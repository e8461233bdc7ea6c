/**
 * Writes the shapes of resources for the control plane, from their descriptions: it checks what it reads without loading
 * the descriptions themselves, which take 16 MB. Run by `npm run generate`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  configMap,
  deployment,
  endpointSlice,
  gatewayApiResources,
  istioResources,
  namespace,
  type OpenApiSchema,
  openApiSchema,
  type ResourceDefinition,
  service,
  serviceAccount,
} from '@aquifer/model/resources';

const file = join(import.meta.dirname, '../../packages/control-plane/src/gen/shapes.json');

const DESCRIBED: readonly ResourceDefinition[] = [
  ...gatewayApiResources,
  ...istioResources,
  configMap,
  deployment,
  endpointSlice,
  namespace,
  service,
  serviceAccount,
];

/** As `packages/control-plane/src/ingest/shape.ts` reads it. */
type Shape =
  | string
  | { readonly items: Shape }
  | { readonly values: Shape }
  | { readonly fields: Readonly<Record<string, Shape>>; readonly required?: readonly string[] };

function shapeOf(schema: OpenApiSchema): Shape {
  const { type, properties, items, additionalProperties: values, required } = schema;
  if (schema['x-kubernetes-int-or-string'] === true) return 'scalar';
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) {
    return type === 'object' && properties === undefined ? { values: 'any' } : 'any';
  }
  if (items !== undefined) return { items: shapeOf(items) };
  if (typeof values === 'object') return { values: shapeOf(values) };
  if (properties !== undefined) {
    const fields = Object.entries(properties).map(([name, field]) => [name, shapeOf(field)]);
    return { fields: Object.fromEntries(fields), ...(required !== undefined && { required }) };
  }
  return type === undefined || type === 'object' ? 'any' : type;
}

/** By `group/Kind`; the core group is empty. */
export function shapes(): string {
  const entries = DESCRIBED.map((definition) => [
    `${definition.group}/${definition.kind}`,
    shapeOf(openApiSchema(definition)),
  ]);
  return `${JSON.stringify(Object.fromEntries(entries))}\n`;
}

export function shapesOnDisk(): string {
  return readFileSync(file, 'utf8');
}

if (import.meta.main) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, shapes());
}
