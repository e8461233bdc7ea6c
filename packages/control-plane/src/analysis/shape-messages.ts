/** What is wrong with objects as such: their shape, fields that nobody knows, and kinds that are not read. */
import type { ObjectRef } from '../ingest/kinds.ts';
import { shapeFindings } from '../ingest/shape.ts';
import { type AnalysisMessage, analysisMessage } from './message.ts';

/** An object of any kind, as somebody wrote it. */
export interface WrittenObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

export function groupOf({ apiVersion }: Pick<WrittenObject, 'apiVersion'>): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

function refOf({ kind, metadata }: WrittenObject): ObjectRef {
  return { kind, namespace: metadata.namespace ?? '', name: metadata.name };
}

/** What the API server writes. */
const NOT_WRITTEN = /^(status|metadata)(\.|$)/;

export function shapeMessages(object: WrittenObject): AnalysisMessage[] {
  const ref = refOf(object);
  return shapeFindings(object).flatMap(({ path, kind, text }) => {
    if (kind !== 'type' && NOT_WRITTEN.test(path)) return [];
    if (kind !== 'unknown') return [analysisMessage('IST0106', ref, `${path}: ${text}`, path)];
    const message = `${path} is not a field of ${object.kind}; the API server drops it, or nobody reads it`;
    return [analysisMessage('AQF0101', ref, message, path)];
  });
}

/** Groups whose kinds a user expects the mesh to obey. */
const MESH_GROUPS: readonly string[] = [
  'gateway.networking.k8s.io',
  'networking.istio.io',
  'security.istio.io',
  'telemetry.istio.io',
  'extensions.istio.io',
];

/** What to do instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  EnvoyFilter:
    'it patches the configuration of Envoy, which the proxies of this mesh are not. Say the same by HTTPRoute, VirtualService, DestinationRule or AuthorizationPolicy',
  WasmPlugin:
    'the proxies of this mesh run no WebAssembly. Put the extension behind an external authorizer, or into the application',
  TrafficExtension:
    'the proxies of this mesh run no WebAssembly and no Lua. Put the extension behind an external authorizer, or into the application',
};

/** Null for what is read, and for what is not the mesh's. */
export function unsupportedMessage(object: WrittenObject, isRead: boolean): AnalysisMessage | null {
  if (isRead || !MESH_GROUPS.includes(groupOf(object))) return null;
  const instead = INSTEAD[object.kind];
  const reason = instead ?? 'the mesh does not read this kind yet';
  const code = instead === undefined ? 'AQF0106' : 'AQF0102';
  return analysisMessage(code, refOf(object), `${object.kind} has no effect: ${reason}`);
}
