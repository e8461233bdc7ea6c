/** Which resources are served: the built-in ones, and one set more for every CustomResourceDefinition. */
import {
  kubernetesResources,
  type OpenApiSchema,
  objectMeta,
  openApiSchema,
  openApiSchemaOf,
  type PrinterColumn,
  type ResourceDefinition,
  reviewResources,
} from '@aquifer/model/resources';
import { isObject, listOr, objectOr, stringOr } from './json.ts';
import { collectionOf } from './kinds/conversions.ts';
import { schemaOfKind, schemaOfMessage } from './kinds/kind-schema.ts';
import type { NamedKind } from './status.ts';

interface ScalePaths {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  /** Path of a selector, either a LabelSelector object or its wire form; null when there is none. */
  readonly selector: readonly string[] | null;
}

/** A kind in one version, as the API serves it. */
export interface ServedResource extends NamedKind {
  readonly version: string;
  /** `v1`, `apps/v1`. */
  readonly apiVersion: string;
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** `group/plural`: all versions share one collection, and so do the two APIs of events. */
  readonly collection: string;
  readonly schema: OpenApiSchema;
  readonly status: boolean;
  readonly scale: ScalePaths | null;
  readonly columns: readonly PrinterColumn[];
  readonly selectableFields: readonly string[];
  /** From a CustomResourceDefinition. */
  readonly custom: boolean;
  /** Posted and answered, never stored. */
  readonly review: boolean;
}

/** `v1`, `apps/v1`. */
export function apiVersionOf(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`;
}

const replicaPaths: ScalePaths = {
  specReplicas: ['spec', 'replicas'],
  statusReplicas: ['status', 'replicas'],
  selector: ['spec', 'selector'],
};

function fromDefinition(definition: ResourceDefinition, review: boolean): ServedResource[] {
  const { group, plural, kind, singular, namespaced } = definition;
  return definition.versions.map((version) => ({
    group,
    version,
    apiVersion: apiVersionOf(group, version),
    plural,
    kind,
    singular,
    listKind: `${kind}List`,
    shortNames: definition.shortNames ?? [],
    categories: definition.categories ?? [],
    namespaced,
    collection: collectionOf(group, plural),
    schema: schemaOfKind(apiVersionOf(group, version), kind, openApiSchema(definition)),
    status: definition.subresources?.status === true,
    scale: definition.subresources?.scale === true ? replicaPaths : null,
    columns: [],
    selectableFields: [],
    custom: false,
    review,
  }));
}

const metadataSchema = schemaOfMessage('ObjectMeta', openApiSchemaOf(objectMeta));

function pathOf(jsonPath: unknown): string[] {
  return (stringOr(jsonPath) ?? '').split('.').filter((part) => part !== '');
}

function scaleOf(subresources: unknown): ScalePaths | null {
  const { scale } = objectOr(subresources);
  if (!isObject(scale)) return null;
  return {
    specReplicas: pathOf(scale.specReplicasPath),
    statusReplicas: pathOf(scale.statusReplicasPath),
    selector: scale.labelSelectorPath === undefined ? null : pathOf(scale.labelSelectorPath),
  };
}

const ageColumn: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
};

function customSchema(version: Record<string, unknown>): OpenApiSchema {
  const declared = objectOr(objectOr(version.schema).openAPIV3Schema) as OpenApiSchema;
  return {
    ...declared,
    type: 'object',
    properties: {
      ...declared.properties,
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: metadataSchema,
    },
  };
}

/** The resources that a CustomResourceDefinition object describes, one for each served version. */
export function servedByDefinition(definition: unknown): ServedResource[] {
  const spec = objectOr(objectOr(definition).spec);
  const names = objectOr(spec.names);
  const group = stringOr(spec.group) ?? '';
  const kind = stringOr(names.kind) ?? '';
  const plural = stringOr(names.plural) ?? '';
  return listOr(spec.versions)
    .map(objectOr)
    .filter((version) => version.served === true)
    .map((version) => {
      const name = stringOr(version.name) ?? '';
      const columns = listOr(version.additionalPrinterColumns) as readonly PrinterColumn[];
      return {
        group,
        version: name,
        apiVersion: apiVersionOf(group, name),
        plural,
        kind,
        singular: stringOr(names.singular) ?? kind.toLowerCase(),
        listKind: stringOr(names.listKind) ?? `${kind}List`,
        shortNames: listOr(names.shortNames).map(String),
        categories: listOr(names.categories).map(String),
        namespaced: spec.scope === 'Namespaced',
        collection: `${group}/${plural}`,
        schema: customSchema(version),
        status: isObject(objectOr(version.subresources).status),
        scale: scaleOf(version.subresources),
        columns: columns.length > 0 ? columns : [ageColumn],
        selectableFields: listOr(version.selectableFields).map((field) =>
          pathOf(objectOr(field).jsonPath).join('.'),
        ),
        custom: true,
        review: false,
      };
    });
}

/** Custom resources come and go; the built-in ones stay. */
export class ResourceRegistry {
  readonly #builtIn: readonly ServedResource[];
  readonly #custom = new Map<string, readonly ServedResource[]>();
  #index = new Map<string, ServedResource>();
  #changes = 0;

  constructor() {
    this.#builtIn = [
      ...kubernetesResources.flatMap((definition) => fromDefinition(definition, false)),
      ...reviewResources.flatMap((definition) => fromDefinition(definition, true)),
    ];
    this.#reindex();
  }

  #reindex(): void {
    this.#index = new Map();
    for (const resource of this.all()) {
      this.#index.set(`${resource.apiVersion}/${resource.plural}`, resource);
      this.#index.set(`${resource.apiVersion}:${resource.kind}`, resource);
    }
    this.#changes++;
  }

  /** Grows with every change of what is served: documents made from it are cached by this number. */
  get changes(): number {
    return this.#changes;
  }

  all(): readonly ServedResource[] {
    return [...this.#builtIn, ...[...this.#custom.values()].flat()];
  }

  find(group: string, version: string, plural: string): ServedResource | null {
    return this.#index.get(`${apiVersionOf(group, version)}/${plural}`) ?? null;
  }

  findKind(apiVersion: string, kind: string): ServedResource | null {
    return this.#index.get(`${apiVersion}:${kind}`) ?? null;
  }

  /** Any version of a collection, the first served. */
  ofCollection(collection: string): ServedResource | null {
    return this.all().find((resource) => resource.collection === collection) ?? null;
  }

  setCustom(definitionName: string, resources: readonly ServedResource[]): void {
    this.#custom.set(definitionName, resources);
    this.#reindex();
  }

  removeCustom(definitionName: string): void {
    if (this.#custom.delete(definitionName)) this.#reindex();
  }
}
