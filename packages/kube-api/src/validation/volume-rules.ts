/** What volumes of pods and their mounts forbid (kubernetes `pkg/apis/core/validation`, `ValidateVolumes`). */
import { itemsOf } from '../defaults/fill.ts';
import { type JsonObject, objectOr, stringOr } from '../json.ts';
import {
  type Cause,
  forbiddenValue,
  invalidValue,
  notFoundValue,
  requiredValue,
} from '../status.ts';
import { localPathCauses, upwardCauses } from './addresses.ts';
import { duplicateNames, labelNameCauses } from './names.ts';

/** Files of a volume lie within it. */
function itemCauses(source: JsonObject, at: string): Cause[] {
  return itemsOf(source, 'items').flatMap(({ path }, index) =>
    localPathCauses(`${at}.items[${index}].path`, path),
  );
}

function fileCauses(volume: JsonObject, at: string): Cause[] {
  const ofSource = (source: JsonObject, where: string): Cause[] => [
    ...['configMap', 'secret', 'downwardAPI'].flatMap((kind) =>
      itemCauses(objectOr(source[kind]), `${where}.${kind}`),
    ),
    ...(source.serviceAccountToken === undefined
      ? []
      : localPathCauses(
          `${where}.serviceAccountToken.path`,
          objectOr(source.serviceAccountToken).path,
        )),
  ];
  return [
    ...ofSource(volume, at),
    ...itemsOf(objectOr(volume.projected), 'sources').flatMap((source, index) =>
      ofSource(source, `${at}.projected.sources[${index}]`),
    ),
  ];
}

/** Mistakes of the volumes of a pod's spec. */
export function volumeCauses(spec: JsonObject, at: string): Cause[] {
  const volumes = itemsOf(spec, 'volumes');
  const each = volumes.flatMap((volume, index): Cause[] => {
    const path = `${at}.volumes[${index}]`;
    const sources = Object.keys(volume).filter((key) => key !== 'name');
    const source = (field: string): JsonObject => objectOr(volume[field]);
    const needs = (field: string, key: string): Cause[] =>
      volume[field] !== undefined && (stringOr(source(field)[key]) ?? '') === ''
        ? [requiredValue(`${path}.${field}.${key}`)]
        : [];
    return [
      ...labelNameCauses(`${path}.name`, volume.name),
      ...sources
        .slice(1)
        .map((name) =>
          forbiddenValue(`${path}.${name}`, 'may not specify more than 1 volume type'),
        ),
      ...needs('hostPath', 'path'),
      ...needs('secret', 'secretName'),
      ...needs('configMap', 'name'),
      ...needs('persistentVolumeClaim', 'claimName'),
      ...upwardCauses(`${path}.hostPath.path`, source('hostPath').path),
      ...fileCauses(volume, path),
    ];
  });
  return [...each, ...duplicateNames(volumes, `${at}.volumes`)];
}

/** A part of a volume lies within it. */
function subPathCauses(mount: JsonObject, at: string): Cause[] {
  return ['subPath', 'subPathExpr'].flatMap((field) => {
    const path = stringOr(mount[field]) ?? '';
    return path === '' ? [] : localPathCauses(`${at}.${field}`, path);
  });
}

/** Mistakes of the mounts of a container, in a pod with these volumes. */
export function mountCauses(
  container: JsonObject,
  path: string,
  volumes: ReadonlySet<unknown>,
): Cause[] {
  const mounts = itemsOf(container, 'volumeMounts');
  const paths = mounts.map((mount) => mount.mountPath);
  return mounts.flatMap((mount, index): Cause[] => {
    const at = `${path}.volumeMounts[${index}]`;
    const causes: Cause[] = [];
    if ((stringOr(mount.name) ?? '') === '') causes.push(requiredValue(`${at}.name`));
    else if (!volumes.has(mount.name)) causes.push(notFoundValue(`${at}.name`, mount.name));
    if ((stringOr(mount.mountPath) ?? '') === '') causes.push(requiredValue(`${at}.mountPath`));
    else if (paths.indexOf(mount.mountPath) < index) {
      causes.push(invalidValue(`${at}.mountPath`, mount.mountPath, 'must be unique'));
    }
    return [...causes, ...subPathCauses(mount, at)];
  });
}
