/**
 * `/openapi/v2` in protobuf (gnostic `openapi.v2.Document`), which kubectl up to 1.29 asks before it applies: for each
 * kind the patch operation with the query parameters it takes. Schemas are in `/openapi/v3`; without them here kubectl
 * computes patches from the types it was built with.
 */
import { encodeField, encodeMessage } from '../protobuf/encode.ts';
import type { ResourceRegistry, ServedResource } from '../resource-registry.ts';

/** As clients ask for it, which is no media type that Go would parse in an answer. */
export const OPENAPI_V2_ACCEPT = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
/** As the answer names itself. */
export const OPENAPI_V2_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** Field numbers of the messages that are written. */
const DOCUMENT = { swagger: 1, info: 2, paths: 8 };
const INFO = { title: 1, version: 2 };
const PATHS = { path: 2 };
const NAMED = { name: 1, value: 2 };
const PATH_ITEM = { patch: 8 };
const OPERATION = { operationId: 5, parameters: 8, vendorExtension: 13 };
const PARAMETERS_ITEM = { parameter: 1 };
const PARAMETER = { nonBody: 2 };
const NON_BODY = { query: 3 };
const QUERY = { in: 2, name: 4, type: 6 };
const ANY = { yaml: 2 };

function queryParameter(name: string): Buffer {
  const query = encodeMessage(
    encodeField(QUERY.in, 'query'),
    encodeField(QUERY.name, name),
    encodeField(QUERY.type, 'string'),
  );
  const parameter = encodeField(PARAMETER.nonBody, encodeField(NON_BODY.query, query));
  return encodeField(PARAMETERS_ITEM.parameter, parameter);
}

const parameters = ['dryRun', 'fieldManager', 'fieldValidation'].map((name) =>
  encodeField(OPERATION.parameters, queryParameter(name)),
);

function named(name: string, value: Buffer): Buffer {
  return encodeMessage(encodeField(NAMED.name, name), encodeField(NAMED.value, value));
}

function pathOf(resource: ServedResource): Buffer {
  const { group, version, kind } = resource;
  const root = group === '' ? '/api/' : '/apis/';
  const scope = resource.namespaced ? '/namespaces/{namespace}' : '';
  const path = `${root}${resource.apiVersion}${scope}/${resource.plural}/{name}`;
  // JSON is YAML.
  const identity = encodeField(ANY.yaml, JSON.stringify({ group, version, kind }));
  const operation = encodeMessage(
    encodeField(OPERATION.operationId, `patch${kind}`),
    ...parameters,
    encodeField(OPERATION.vendorExtension, named('x-kubernetes-group-version-kind', identity)),
  );
  return encodeField(PATHS.path, named(path, encodeField(PATH_ITEM.patch, operation)));
}

/** The encoded document of what is served now. */
export function openApiV2Document(registry: ResourceRegistry): Buffer {
  const info = encodeMessage(
    encodeField(INFO.title, 'Kubernetes'),
    encodeField(INFO.version, 'v1.34.1'),
  );
  const paths = registry
    .all()
    .filter((resource) => !resource.review)
    .map(pathOf);
  return encodeMessage(
    encodeField(DOCUMENT.swagger, '2.0'),
    encodeField(DOCUMENT.info, info),
    encodeField(DOCUMENT.paths, encodeMessage(...paths)),
  );
}
