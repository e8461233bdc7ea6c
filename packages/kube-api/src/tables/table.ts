/** Server-side printing: objects as a `meta.k8s.io/v1` Table, when the client accepts one. */
import type { ApiObject } from '../cluster-client.ts';
import type { JsonObject } from '../json.ts';
import { inVersion, type Version } from '../kinds/conversions.ts';
import type { ServedResource } from '../resource-registry.ts';
import { ageOf } from './duration.ts';
import { readJsonPath } from './json-path.ts';
import { otherPrinters, scalePrinter } from './other-printers.ts';
import { namePrinter, type Printer, printers } from './printers.ts';

/** What of each object accompanies its row. Default `Metadata`. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** Whether an Accept header asks for a Table before plain objects. */
export function wantsTable(accept: string | undefined): boolean {
  const first = (accept ?? '').split(',')[0] ?? '';
  return first.includes('as=Table');
}

const nameColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  priority: 0,
};

function printerOf({ collection }: ServedResource): Printer {
  return printers[collection] ?? otherPrinters[collection] ?? namePrinter;
}

function builtInColumns({ columns }: Printer): JsonObject[] {
  return columns.map((column) => {
    if (column === 'Name') return nameColumn;
    const wide = column.endsWith('*');
    const name = wide ? column.slice(0, -1) : column;
    const isName = name === 'Name';
    return {
      name,
      type: 'string',
      format: isName ? 'name' : '',
      description: '',
      priority: wide ? 1 : 0,
    };
  });
}

function customColumns(resource: ServedResource): JsonObject[] {
  const own = resource.columns.map((column) => ({
    name: column.name,
    type: column.type,
    format: column.format ?? '',
    description: column.description ?? '',
    priority: column.priority ?? 0,
  }));
  return [nameColumn, ...own];
}

function customCell(column: ServedResource['columns'][number], object: ApiObject): unknown {
  const values = readJsonPath(object, column.jsonPath).filter(
    (value) => value !== undefined && value !== null,
  );
  if (values.length === 0)
    return column.type === 'date' ? '<unknown>' : column.type === 'string' ? '' : null;
  if (column.type === 'date') return ageOf(values[0]);
  const [value] = values;
  if (column.type !== 'string') return typeof value === 'object' ? JSON.stringify(value) : value;
  const texts = values.map((item) =>
    typeof item === 'object' ? JSON.stringify(item) : String(item),
  );
  return texts.join(',');
}

function cellsOf(resource: ServedResource, object: ApiObject): unknown[] {
  if (!resource.custom) return printerOf(resource).cells(object);
  return [object.metadata.name, ...resource.columns.map((column) => customCell(column, object))];
}

function rowObject(
  object: ApiObject,
  include: IncludeObject,
  version: Version | null = null,
): JsonObject {
  if (include === 'None') return {};
  if (include === 'Object')
    return { object: version === null ? object : inVersion(version, object) };
  const partial = {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: object.metadata,
  };
  return { object: partial };
}

/**
 * @param objects as they are stored.
 * @param metadata of the Table: the list's resourceVersion and continuation.
 */
export function tableOf(
  resource: ServedResource,
  objects: readonly ApiObject[],
  metadata: JsonObject,
  include: IncludeObject,
): JsonObject {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: resource.custom
      ? customColumns(resource)
      : builtInColumns(printerOf(resource)),
    rows: objects.map((object) => ({
      cells: cellsOf(resource, object),
      ...rowObject(object, include, resource),
    })),
  };
}

/** A `Scale` as a Table. */
export function scaleTable(scale: ApiObject, include: IncludeObject): JsonObject {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion: scale.metadata.resourceVersion },
    columnDefinitions: builtInColumns(scalePrinter),
    rows: [{ cells: scalePrinter.cells(scale), ...rowObject(scale, include) }],
  };
}
