import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installationRoot } from '@aquifer/runtime';
import { type KubernetesObject, loadAllYaml } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import type { ChosenValues } from './chosen-values.ts';
import { locate } from './manifest-field.ts';
import { INSTALL_VALUES, type InstallValue, type Place } from './values.ts';

const DEPLOY = join(installationRoot(import.meta.dirname), 'deploy');
export const MESH_NAMESPACE = 'istio-system';

/** The parts of an installation, in the order in which they are applied. */
export interface Manifests {
  readonly definitions: readonly KubernetesObject[];
  readonly controlPlane: readonly KubernetesObject[];
  readonly nodeProxies: readonly KubernetesObject[];
}

/** What is in `deploy/`, with the values that were chosen. */
export function renderManifests(values: ChosenValues): Manifests {
  const controlPlane = readManifests('control-plane.yaml');
  const nodeProxies = readManifests('ztunnel.yaml');
  for (const value of INSTALL_VALUES) {
    for (const place of value.places) {
      const object = [...controlPlane, ...nodeProxies].find(
        (one) => objectKey(one) === place.object,
      );
      if (object === undefined) throw new Error(`deploy/ has no ${place.object}`);
      put(object, place, value, values);
    }
  }
  const meshConfig = values.of('meshConfig') as object;
  if (Object.keys(meshConfig).length > 0) controlPlane.splice(1, 0, meshConfigMap(meshConfig));
  return { definitions: readDefinitions(), controlPlane, nodeProxies };
}

/** What holds where nothing is chosen, by path: the table's default, else what the manifests say. */
export function defaultValues(): ReadonlyMap<string, unknown> {
  const objects = [...readManifests('control-plane.yaml'), ...readManifests('ztunnel.yaml')];
  return new Map(
    INSTALL_VALUES.map(({ path, default: normally, places }) => {
      if (normally !== undefined) return [path, normally];
      const object = objects.find((one) => objectKey(one) === places[0]!.object)!;
      const { holder, key } = locate(object, places[0]!.field);
      return [path, holder[key]];
    }),
  );
}

/** The custom resources of Gateway API and Istio. */
export function readDefinitions(): KubernetesObject[] {
  const files = readdirSync(join(DEPLOY, 'crds')).toSorted();
  return files.flatMap((file) => readManifests(join('crds', file)));
}

/** One file of `deploy/`, as it is. */
export function readManifests(file: string): KubernetesObject[] {
  // Not a plain YAML parser: the client drops fields such as `enum` from objects that it did not parse itself.
  return loadAllYaml(readFileSync(join(DEPLOY, file), 'utf8'));
}

/** `Deployment/istiod`. */
export function objectKey({ kind, metadata }: KubernetesObject): string {
  return `${kind}/${metadata?.name}`;
}

/** A name in the hub, or a whole reference. */
function imageReference(image: string, values: ChosenValues): string {
  if (image.includes('/')) return image;
  return `${values.of('global.hub')}/${image}:${values.of('global.tag')}`;
}

function put(
  object: KubernetesObject,
  place: Place,
  value: InstallValue,
  values: ChosenValues,
): void {
  const chosen = values.of(value.path);
  const { holder, key } = locate(object, place.field);
  switch (value.rendering) {
    case 'set':
      holder[key] = place.asText === true ? String(chosen) : chosen;
      return;
    case 'optional':
      if (!isEmpty(chosen)) holder[key] = chosen;
      return;
    case 'entries':
      holder[key] = { ...(holder[key] as object), ...(chosen as object) };
      return;
    case 'environment':
      holder[key] = [...(holder[key] as object[]), ...variables(chosen as Record<string, unknown>)];
      return;
    case 'image':
      holder[key] = imageReference(chosen as string, values);
      return;
    case 'names':
      if (place.asText === true) holder[key] = (chosen as string[]).join(',');
      else if (!isEmpty(chosen)) holder[key] = (chosen as string[]).map((name) => ({ name }));
  }
}

function variables(map: Readonly<Record<string, unknown>>): { name: string; value: string }[] {
  return Object.keys(map)
    .toSorted()
    .map((name) => ({ name, value: String(map[name]) }));
}

function isEmpty(value: unknown): boolean {
  return value === '' || Object.keys(value as object).length === 0;
}

function meshConfigMap(meshConfig: object): KubernetesObject {
  const labels = { app: 'istiod', 'app.kubernetes.io/part-of': 'aquifer' };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace: MESH_NAMESPACE, labels },
    data: { mesh: stringify(meshConfig, { lineWidth: 0 }) },
  } as KubernetesObject;
}
