/** Columns and cells of the kinds that are only stored here (kubernetes `printers/internalversion/printers.go`). */
import type { ApiObject } from '../cluster-client.ts';
import { isObject, type JsonObject, listOr, objectOr, stringOr } from '../json.ts';
import { age, count, name, objects, selectorText, specOf, statusOf } from './cells.ts';
import { humanDuration } from './duration.ts';
import type { Printer } from './printers.ts';

const LONGEST_ADDRESS = 16;

function ingressAddress(ingress: ApiObject): string {
  const text = objects(objectOr(statusOf(ingress).loadBalancer).ingress)
    .map((item) => stringOr(item.ip) ?? stringOr(item.hostname) ?? '')
    .join(',');
  return text.length > LONGEST_ADDRESS ? `${text.slice(0, LONGEST_ADDRESS - 3)}...` : text;
}

function ingressHosts(ingress: ApiObject): string {
  const hosts = objects(specOf(ingress).rules).flatMap((rule) => stringOr(rule.host) || []);
  if (hosts.length === 0) return '*';
  const shown = hosts.slice(0, 3).join(',');
  return hosts.length > 3 ? `${shown} + ${hosts.length - 3} more...` : shown;
}

function ingressClass(ingress: ApiObject): string {
  const annotation = ingress.metadata.annotations?.['kubernetes.io/ingress.class'];
  return stringOr(specOf(ingress).ingressClassName) ?? annotation ?? '<none>';
}

function classParameters(ingressClass: ApiObject): string {
  const { parameters } = specOf(ingressClass);
  if (!isObject(parameters)) return '<none>';
  const group = stringOr(parameters.apiGroup);
  return `${String(parameters.kind)}${group === undefined ? '' : `.${group}`}/${String(parameters.name)}`;
}

/** `cpu: 0/2, pods: 1/3` of the names that are limits, or of those that are not. */
function quotaCell(quota: ApiObject, limits: boolean): string {
  const { hard, used } = statusOf(quota);
  return Object.entries(objectOr(hard))
    .filter(([resource]) => resource.startsWith('limits.') === limits)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([resource, value]) =>
        `${resource}: ${String(objectOr(used)[resource] ?? 0)}/${String(value)}`,
    )
    .join(', ');
}

const accessModeNames: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

function accessModes(modes: unknown): string {
  const given = new Set(listOr(modes).map(String));
  return Object.entries(accessModeNames)
    .flatMap(([mode, short]) => (given.has(mode) ? [short] : []))
    .join(',');
}

function orUnset(value: unknown): string {
  return stringOr(value) || '<unset>';
}

function volumeStatus(volume: ApiObject): string {
  return volume.metadata.deletionTimestamp === undefined
    ? (stringOr(statusOf(volume).phase) ?? '')
    : 'Terminating';
}

function claimOf(volume: ApiObject): string {
  const { claimRef } = specOf(volume);
  return isObject(claimRef) ? `${String(claimRef.namespace)}/${String(claimRef.name)}` : '';
}

function metricText(metric: JsonObject, current: JsonObject | undefined): string {
  const target = (holder: unknown): JsonObject => objectOr(objectOr(holder).target);
  if (metric.type !== 'Resource') return '<unknown>';
  const resource = objectOr(metric.resource);
  const now = objectOr(objectOr(current?.resource).current);
  const { averageUtilization, averageValue } = target(resource);
  const label = `${String(resource.name)}: `;
  return averageUtilization === undefined
    ? `${label}${String(now.averageValue ?? '<unknown>')}/${String(averageValue)}`
    : `${label}${now.averageUtilization === undefined ? '<unknown>' : `${String(now.averageUtilization)}%`}/${String(averageUtilization)}%`;
}

function hpaTargets(hpa: ApiObject): string {
  const current = objects(statusOf(hpa).currentMetrics);
  const texts = objects(specOf(hpa).metrics).map((metric, at) => metricText(metric, current[at]));
  if (texts.length === 0) return '<none>';
  const shown = texts.slice(0, 2).join(', ');
  return texts.length > 2 ? `${shown} + ${texts.length - 2} more...` : shown;
}

function requestCondition(request: ApiObject): string {
  const types = objects(statusOf(request).conditions).map((item) => item.type);
  const decided = types.includes('Denied')
    ? 'Denied'
    : types.includes('Approved')
      ? 'Approved'
      : 'Pending';
  const failed = types.includes('Failed') ? ',Failed' : '';
  const issued = stringOr(statusOf(request).certificate) ? ',Issued' : '';
  return `${decided}${failed}${issued}`;
}

function yesOrNo(value: unknown): string {
  return String(value === true);
}

/** By collection. */
export const otherPrinters: Readonly<Record<string, Printer>> = {
  'networking.k8s.io/ingresses': {
    columns: ['Name', 'Class', 'Hosts', 'Address', 'Ports', 'Age'],
    cells: (object) => [
      name(object),
      ingressClass(object),
      ingressHosts(object),
      ingressAddress(object),
      listOr(specOf(object).tls).length > 0 ? '80, 443' : '80',
      age(object),
    ],
  },
  'networking.k8s.io/ingressclasses': {
    columns: ['Name', 'Controller', 'Parameters', 'Age'],
    cells: (object) => [
      name(object),
      specOf(object).controller,
      classParameters(object),
      age(object),
    ],
  },
  'networking.k8s.io/networkpolicies': {
    columns: ['Name', 'Pod-Selector', 'Age'],
    cells: (object) => [name(object), selectorText(specOf(object).podSelector), age(object)],
  },
  'policy/poddisruptionbudgets': {
    columns: ['Name', 'Min Available', 'Max Unavailable', 'Allowed Disruptions', 'Age'],
    cells: (object) => [
      name(object),
      String(specOf(object).minAvailable ?? 'N/A'),
      String(specOf(object).maxUnavailable ?? 'N/A'),
      count(statusOf(object).disruptionsAllowed),
      age(object),
    ],
  },
  '/resourcequotas': {
    columns: ['Name', 'Request', 'Limit', 'Age'],
    cells: (object) => [
      name(object),
      quotaCell(object, false),
      quotaCell(object, true),
      age(object),
    ],
  },
  '/persistentvolumes': {
    columns: [
      'Name',
      'Capacity',
      'Access Modes',
      'Reclaim Policy',
      'Status',
      'Claim',
      'StorageClass',
      'VolumeAttributesClass',
      'Reason',
      'Age',
      'VolumeMode*',
    ],
    cells: (object) => [
      name(object),
      stringOr(objectOr(specOf(object).capacity).storage) ?? '',
      accessModes(specOf(object).accessModes),
      specOf(object).persistentVolumeReclaimPolicy,
      volumeStatus(object),
      claimOf(object),
      stringOr(specOf(object).storageClassName) ?? '',
      orUnset(specOf(object).volumeAttributesClassName),
      stringOr(statusOf(object).reason) ?? '',
      age(object),
      orUnset(specOf(object).volumeMode),
    ],
  },
  '/persistentvolumeclaims': {
    columns: [
      'Name',
      'Status',
      'Volume',
      'Capacity',
      'Access Modes',
      'StorageClass',
      'VolumeAttributesClass',
      'Age',
      'VolumeMode*',
    ],
    cells: (object) => {
      const bound = stringOr(specOf(object).volumeName) ?? '';
      return [
        name(object),
        volumeStatus(object),
        bound,
        bound === '' ? '' : (stringOr(objectOr(statusOf(object).capacity).storage) ?? ''),
        bound === '' ? '' : accessModes(statusOf(object).accessModes),
        stringOr(specOf(object).storageClassName) ?? '',
        orUnset(specOf(object).volumeAttributesClassName),
        age(object),
        orUnset(specOf(object).volumeMode),
      ];
    },
  },
  'storage.k8s.io/storageclasses': {
    columns: [
      'Name',
      'Provisioner',
      'ReclaimPolicy',
      'VolumeBindingMode',
      'AllowVolumeExpansion',
      'Age',
    ],
    cells: (object) => {
      const isDefault =
        object.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true';
      return [
        `${name(object)}${isDefault ? ' (default)' : ''}`,
        object.provisioner,
        stringOr(object.reclaimPolicy) ?? 'Delete',
        stringOr(object.volumeBindingMode) ?? '<unset>',
        yesOrNo(object.allowVolumeExpansion),
        age(object),
      ];
    },
  },
  'autoscaling/horizontalpodautoscalers': {
    columns: ['Name', 'Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas', 'Age'],
    cells: (object) => {
      const target = objectOr(specOf(object).scaleTargetRef);
      return [
        name(object),
        `${String(target.kind)}/${String(target.name)}`,
        hpaTargets(object),
        String(specOf(object).minReplicas ?? '<unset>'),
        specOf(object).maxReplicas,
        count(statusOf(object).currentReplicas),
        age(object),
      ];
    },
  },
  'scheduling.k8s.io/priorityclasses': {
    columns: ['Name', 'Value', 'Global-Default', 'Age', 'PreemptionPolicy'],
    cells: (object) => [
      name(object),
      object.value,
      yesOrNo(object.globalDefault),
      age(object),
      stringOr(object.preemptionPolicy) ?? 'PreemptLowerPriority',
    ],
  },
  'certificates.k8s.io/certificatesigningrequests': {
    columns: ['Name', 'Age', 'SignerName', 'Requestor', 'RequestedDuration', 'Condition'],
    cells: (object) => {
      const seconds = specOf(object).expirationSeconds;
      return [
        name(object),
        age(object),
        stringOr(specOf(object).signerName) ?? '<none>',
        specOf(object).username,
        typeof seconds === 'number' ? humanDuration(seconds * 1000) : '<none>',
        requestCondition(object),
      ];
    },
  },
  'apps/controllerrevisions': {
    columns: ['Name', 'Controller', 'Revision', 'Age'],
    cells: (object) => {
      const owner = object.metadata.ownerReferences?.find((item) => item.controller === true);
      const [group, version] = (owner?.apiVersion ?? '').split('/');
      const kind = `${owner?.kind.toLowerCase() ?? ''}${version === undefined ? '' : `.${group}`}`;
      return [
        name(object),
        owner === undefined ? '<none>' : `${kind}/${owner.name}`,
        object.revision,
        age(object),
      ];
    },
  },
};

/** How a `Scale` is printed; it is no collection of its own. */
export const scalePrinter: Printer = {
  columns: ['Name', 'Desired', 'Available', 'Age'],
  cells: (scale) => [
    name(scale),
    count(specOf(scale).replicas),
    count(statusOf(scale).replicas),
    age(scale),
  ],
};
