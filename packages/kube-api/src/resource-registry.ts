/** Which resources are served: the built-in ones, and one set more for every CustomResourceDefinition. */
import {
  type CustomResourceDefinition,
  kubernetesResources,
  type OpenApiSchema,
  objectMeta,
  openApiSchema,
  openApiSchemaOf,
  type PrinterColumn,
  type ResourceDefinition,
  reviewResources,
} from '@aquifer/model/resources';
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
  /** Made at each request of what the kubelets measure, never stored. */
  readonly measured: boolean;
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
    measured: false,
  }));
}

export const metricsGroup = 'metrics.k8s.io';

/** https://github.com/kubernetes/metrics, API version v1beta1. */
function measuredResource(kind: string, plural: string, namespaced: boolean): ServedResource {
  const version = 'v1beta1';
  return {
    group: metricsGroup,
    version,
    apiVersion: apiVersionOf(metricsGroup, version),
    plural,
    kind,
    singular: '',
    listKind: `${kind}List`,
    shortNames: [],
    categories: [],
    namespaced,
    collection: collectionOf(metricsGroup, plural),
    schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    status: false,
    scale: null,
    columns: [],
    selectableFields: [],
    custom: false,
    review: false,
    measured: true,
  };
}

const measuredResources = [
  measuredResource('PodMetrics', 'pods', true),
  measuredResource('NodeMetrics', 'nodes', false),
];

const metadataSchema = schemaOfMessage('ObjectMeta', openApiSchemaOf(objectMeta));

function pathOf(jsonPath: string): string[] {
  return jsonPath.split('.').filter((part) => part !== '');
}

type DefinedVersion = CustomResourceDefinition['spec']['versions'][number];

function scaleOf({ subresources }: DefinedVersion): ScalePaths | null {
  const scale = subresources?.scale;
  if (scale === undefined) return null;
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scale;
  return {
    specReplicas: pathOf(specReplicasPath),
    statusReplicas: pathOf(statusReplicasPath),
    selector: labelSelectorPath === undefined ? null : pathOf(labelSelectorPath),
  };
}

const ageColumn: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
};

function customSchema({ schema }: DefinedVersion): OpenApiSchema {
  const declared: OpenApiSchema = schema?.openAPIV3Schema ?? {};
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

/** The resources that a CustomResourceDefinition describes, one for each served version. */
export function servedByDefinition({ spec }: CustomResourceDefinition): ServedResource[] {
  const { group, names, scope, versions } = spec;
  const { kind, plural } = names;
  return versions
    .filter(({ served }) => served)
    .map((version) => ({
      group,
      version: version.name,
      apiVersion: apiVersionOf(group, version.name),
      plural,
      kind,
      singular: names.singular ?? kind.toLowerCase(),
      listKind: names.listKind ?? `${kind}List`,
      shortNames: names.shortNames ?? [],
      categories: names.categories ?? [],
      namespaced: scope === 'Namespaced',
      collection: `${group}/${plural}`,
      schema: customSchema(version),
      status: version.subresources?.status !== undefined,
      scale: scaleOf(version),
      columns: columnsOf(version),
      selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) =>
        pathOf(jsonPath).join('.'),
      ),
      custom: true,
      review: false,
      measured: false,
    }));
}

function columnsOf({ additionalPrinterColumns = [] }: DefinedVersion): readonly PrinterColumn[] {
  if (additionalPrinterColumns.length === 0) return [ageColumn];
  // What a definition may say of types is checked when it is written.
  return additionalPrinterColumns as readonly PrinterColumn[];
}

/** Custom resources come and go; the built-in ones stay. */
export class ResourceRegistry {
  readonly #builtIn: readonly ServedResource[];
  readonly #custom = new Map<string, readonly ServedResource[]>();
  #index = new Map<string, ServedResource>();
  #changes = 0;

  constructor({ measures = false }: { readonly measures?: boolean } = {}) {
    this.#builtIn = [
      ...kubernetesResources.flatMap((definition) => fromDefinition(definition, false)),
      ...reviewResources.flatMap((definition) => fromDefinition(definition, true)),
      ...(measures ? measuredResources : []),
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
