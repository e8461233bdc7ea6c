/**
 * What users lay over the objects that a Gateway becomes: fragments in a ConfigMap, one for each kind (spec control-plane
 * 5.2).
 *
 * Always: an overlay holds as a whole or not at all.
 */
import { err, ok, type Result } from '@aquifer/model';
import {
  applyStrategicPatch,
  type MergeSchema,
  StrategicPatchError,
} from '@aquifer/model/kubernetes';
import type { ConfigMap } from '@aquifer/model/resources';
import { loadAll } from 'js-yaml';
import { nameOf, namespaceOf } from '../derive/object.ts';
import schemas from '../gen/overlay-schemas.json' with { type: 'json' };
import { MANAGED_LABEL } from '../ingest/kinds.ts';
import { shapeFindings } from '../ingest/shape.ts';
import type { Manifest } from '../reconcile/wish.ts';

type Kind = Manifest['kind'];
type Fragment = Record<string, unknown>;

export interface Overlay {
  /** As messages name it: `ConfigMap "shop/sizes"`. */
  readonly source: string;
  readonly fragments: Readonly<Partial<Record<Kind, Fragment>>>;
}

/** Or what is wrong with the ConfigMap, and where. */
export type ReadOverlay = Result<Overlay, string>;

const KIND_OF_KEY: Readonly<Record<string, Kind>> = {
  deployment: 'Deployment',
  service: 'Service',
  serviceAccount: 'ServiceAccount',
  horizontalPodAutoscaler: 'HorizontalPodAutoscaler',
  podDisruptionBudget: 'PodDisruptionBudget',
};

const MERGE_SCHEMAS: Readonly<Partial<Record<Kind, MergeSchema>>> = schemas;

export function readOverlay(map: ConfigMap): ReadOverlay {
  const source = `ConfigMap "${namespaceOf(map)}/${nameOf(map)}"`;
  const fragments: Partial<Record<Kind, Fragment>> = {};
  for (const [key, text] of Object.entries({ ...map.binaryData, ...map.data })) {
    const kind = Object.hasOwn(KIND_OF_KEY, key) ? KIND_OF_KEY[key] : undefined;
    if (kind === undefined) {
      const known = Object.keys(KIND_OF_KEY).join(', ');
      return err(`${source} has key "${key}", which is none of ${known}`);
    }
    const fragment = readFragment(text);
    if (!fragment.ok) return err(`${source}, key "${key}": ${fragment.error}`);
    fragments[kind] = fragment.value;
  }
  return ok({ source, fragments });
}

function readFragment(text: unknown): Result<Fragment, string> {
  if (typeof text !== 'string') return err('expected text');
  let documents: unknown[];
  try {
    documents = loadAll(text);
  } catch (error) {
    return err((error as Error).message.split('\n')[0] ?? '');
  }
  if (documents.length > 1) return err('has several documents');
  const [value] = documents;
  // Only comments, or nothing.
  if (value === undefined || value === null) return ok({});
  if (typeof value !== 'object' || Array.isArray(value)) return err('expected an object');
  if (!isOfSize(value)) return err(`has more than ${MAX_VALUES} values`);
  return ok(value as Fragment);
}

/** A few aliases of YAML make a text of a few lines as large as one likes. */
const MAX_VALUES = 10_000;

function isOfSize(root: object): boolean {
  let values = 0;
  const stack: unknown[] = [root];
  while (stack.length > 0) {
    const value = stack.pop();
    values += 1;
    if (values > MAX_VALUES) return false;
    if (typeof value !== 'object' || value === null) continue;
    // Not all at once: a call takes so many arguments only.
    for (const inner of Object.values(value)) stack.push(inner);
  }
  return true;
}

/** The manifest under the overlay; what a Gateway is told where that cannot be. */
export function overlaid(manifest: Manifest, overlay: Overlay): Result<Manifest, string> {
  const { kind } = manifest;
  const fragment = overlay.fragments[kind];
  if (fragment === undefined) return ok(manifest);
  const where = `${overlay.source}, key "${keyOfKind(kind)}"`;
  try {
    const target = manifest as unknown as Fragment;
    const merged = applyStrategicPatch(MERGE_SCHEMAS[kind] ?? {}, target, fragment);
    const problem = problemOf(manifest, merged as unknown as Manifest);
    return problem === null ? ok(merged as unknown as Manifest) : err(`${where}: ${problem}`);
  } catch (error) {
    if (error instanceof StrategicPatchError) return err(`${where}: ${error.message}`);
    throw error;
  }
}

function keyOfKind(kind: Kind): string {
  return Object.entries(KIND_OF_KEY).find(([, of]) => of === kind)?.[0] ?? '';
}

/** By these an object is found again, and known to be the Gateway's. */
const FIXED: Readonly<Record<string, (manifest: Manifest) => unknown>> = {
  apiVersion: ({ apiVersion }) => apiVersion,
  kind: ({ kind }) => kind,
  'metadata.name': ({ metadata }) => metadata.name,
  'metadata.namespace': ({ metadata }) => metadata.namespace,
  [`metadata.labels["${MANAGED_LABEL}"]`]: ({ metadata }) => metadata.labels?.[MANAGED_LABEL],
};

function problemOf(before: Manifest, after: Manifest): string | null {
  if (typeof after.metadata !== 'object') return 'metadata: expected an object';
  for (const [field, read] of Object.entries(FIXED)) {
    if (read(before) !== read(after)) return `${field} must not be changed`;
  }
  const [finding] = shapeFindings(after);
  return finding === undefined ? null : `${finding.path}: ${finding.text}`;
}
