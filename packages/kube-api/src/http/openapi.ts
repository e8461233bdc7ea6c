/** `/openapi/v3`: one document for each group and version, from the schemas that validation uses. */
import { createHash } from 'node:crypto';
import type { JsonObject } from '../json.ts';
import type { ResourceRegistry, ServedResource } from '../resource-registry.ts';

/** kubectl asks here whether the server checks fields, before it does so itself. */
const writeParameters = ['dryRun', 'fieldManager', 'fieldValidation'].map((name) => ({
  name,
  in: 'query',
  schema: { type: 'string', uniqueItems: true },
}));

const patchTypes = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
];

function schemaName(resource: ServedResource): string {
  const group = resource.group === '' ? 'core' : resource.group;
  return `${group.split('.').toReversed().join('.')}.${resource.version}.${resource.kind}`;
}

function operation(resource: ServedResource, action: string): JsonObject {
  const { group, version, kind } = resource;
  return {
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, version, kind },
    responses: {
      '200': {
        description: 'OK',
        content: {
          'application/json': {
            schema: { $ref: `#/components/schemas/${schemaName(resource)}` },
          },
        },
      },
    },
  };
}

function pathsOf(resource: ServedResource): JsonObject {
  const root = resource.group === '' ? '/api/' : '/apis/';
  const scope = resource.namespaced ? '/namespaces/{namespace}' : '';
  const collection = `${root}${resource.apiVersion}${scope}/${resource.plural}`;
  const post = { ...operation(resource, 'post'), parameters: writeParameters };
  if (resource.review) return { [collection]: { post } };
  const schema = { type: 'object' };
  return {
    [collection]: { get: operation(resource, 'list'), post },
    [`${collection}/{name}`]: {
      get: operation(resource, 'get'),
      put: { ...operation(resource, 'put'), parameters: writeParameters },
      delete: operation(resource, 'delete'),
      patch: {
        ...operation(resource, 'patch'),
        parameters: writeParameters,
        requestBody: {
          content: Object.fromEntries(patchTypes.map((type) => [type, { schema }])),
          required: true,
        },
      },
    },
  };
}

function documentOf(apiVersion: string, resources: readonly ServedResource[]): JsonObject {
  const schemas = resources.map(({ group, version, kind, ...resource }) => [
    schemaName({ group, version, kind, ...resource }),
    { ...resource.schema, 'x-kubernetes-group-version-kind': [{ group, version, kind }] },
  ]);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: apiVersion },
    paths: Object.assign({}, ...resources.map(pathsOf)) as JsonObject,
    components: { schemas: Object.fromEntries(schemas) },
  };
}

/** Made when first asked for, and again after a change of what is served. */
export class OpenApiDocuments {
  readonly #registry: ResourceRegistry;
  #made = -1;
  /** Path (`api/v1`, `apis/apps/v1`) → document text. */
  #documents = new Map<string, string>();

  constructor(registry: ResourceRegistry) {
    this.#registry = registry;
  }

  #refresh(): void {
    if (this.#made === this.#registry.changes) return;
    this.#made = this.#registry.changes;
    const groups = Map.groupBy(this.#registry.all(), (resource) => resource.apiVersion);
    this.#documents = new Map(
      [...groups].map(([apiVersion, resources]) => [
        `${apiVersion.includes('/') ? 'apis' : 'api'}/${apiVersion}`,
        JSON.stringify(documentOf(apiVersion, resources)),
      ]),
    );
  }

  /** The index of `/openapi/v3`. The hash in each URL changes with its document. */
  index(): JsonObject {
    this.#refresh();
    const paths = [...this.#documents].map(([path, text]) => {
      const hash = createHash('sha512').update(text).digest('hex').toUpperCase();
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
    });
    return { paths: Object.fromEntries(paths) };
  }

  /** The JSON text of one document; undefined if there is none. */
  document(path: string): string | undefined {
    this.#refresh();
    return this.#documents.get(path);
  }
}
