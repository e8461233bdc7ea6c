/** What the built-in kinds forbid beyond their schema. */
import type { ApiObject } from '../cluster-client.ts';
import { itemsOf } from '../defaults/fill.ts';
import { isObject, type JsonObject, listOr, objectOr, sameJson, stringOr } from '../json.ts';
import {
  type Cause,
  forbiddenValue,
  invalidValue,
  requiredValue,
  unsupportedValue,
} from '../status.ts';
import { autoscalerCauses } from './autoscaler-rules.ts';
import { cronJobCauses, jobCauses } from './batch-rules.ts';
import { endpointSliceCauses, endpointsCauses, networkPolicyCauses } from './network-rules.ts';
import { podSpecCauses } from './pod-rules.ts';
import { selectorCauses } from './selector-rules.ts';
import { serviceCauses } from './service-rules.ts';

/** Mistakes of an object; `previous` is null on creation. */
export type KindRule = (object: JsonObject, previous: ApiObject | null) => Cause[];

const immutable = 'field is immutable';

/** Fields of a running pod that may still change. */
function mutablePart(spec: JsonObject): JsonObject {
  const withoutImages = (list: string): unknown =>
    itemsOf(spec, list).map(({ image: _image, resources: _resources, ...rest }) => rest);
  const {
    activeDeadlineSeconds: _deadline,
    terminationGracePeriodSeconds: _grace,
    tolerations: _tolerations,
    schedulingGates: _gates,
    nodeSelector: _selector,
    affinity: _affinity,
    ephemeralContainers: _ephemeral,
    ...rest
  } = spec;
  return {
    ...rest,
    containers: withoutImages('containers'),
    initContainers: withoutImages('initContainers'),
  };
}

const podRule: KindRule = (pod, previous) => {
  const spec = objectOr(pod.spec);
  const causes = podSpecCauses(spec, 'spec');
  if (previous === null) return causes;
  const before = objectOr(previous.spec);
  const binds = before.nodeName === undefined ? { ...before, nodeName: spec.nodeName } : before;
  if (!sameJson(mutablePart(spec), mutablePart(stripUndefined(binds)))) {
    causes.push(
      forbiddenValue(
        'spec',
        'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
      ),
    );
  }
  return causes;
};

function stripUndefined(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** What a kind calls itself when its selector is empty; replica sets speak as deployments do. */
const selectorOwners: Readonly<Record<string, string>> = {
  DaemonSet: 'daemonset',
  StatefulSet: 'statefulset',
};

function emptySelectorCauses(object: JsonObject): Cause[] {
  const { selector } = objectOr(object.spec);
  if (!isObject(selector)) return [];
  const size = Object.keys(objectOr(selector.matchLabels)).length;
  if (size + listOr(selector.matchExpressions).length > 0) return [];
  const owner = selectorOwners[String(object.kind)] ?? 'deployment';
  return [invalidValue('spec.selector', selector, `empty selector is invalid for ${owner}`)];
}

function strategyCauses({ strategy }: JsonObject): Cause[] {
  const { type, rollingUpdate } = objectOr(strategy);
  if (strategy === undefined) return [];
  const at = 'spec.strategy.rollingUpdate';
  if (type === 'Recreate') {
    const why = "may not be specified when strategy `type` is 'Recreate'";
    return isObject(rollingUpdate) ? [forbiddenValue(at, why)] : [];
  }
  if (type !== 'RollingUpdate') {
    return [unsupportedValue('spec.strategy', strategy, ['Recreate', 'RollingUpdate'])];
  }
  const { maxSurge, maxUnavailable } = objectOr(rollingUpdate);
  const isNone = (value: unknown): boolean => value === 0 || value === '0%';
  return isNone(maxSurge) && isNone(maxUnavailable)
    ? [invalidValue(`${at}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0')]
    : [];
}

const workloadRule: KindRule = (object, previous) => {
  const spec = objectOr(object.spec);
  const claims = itemsOf(spec, 'volumeClaimTemplates').map(
    ({ metadata }) => objectOr(metadata).name,
  );
  const causes: Cause[] = [];
  for (const field of ['replicas', 'minReadySeconds', 'revisionHistoryLimit']) {
    const value = spec[field];
    if (typeof value === 'number' && value < 0) {
      causes.push(invalidValue(`spec.${field}`, value, 'must be greater than or equal to 0'));
    }
  }
  causes.push(...emptySelectorCauses(object), ...selectorCauses(spec));
  const podSpec = objectOr(objectOr(spec.template).spec);
  causes.push(...podSpecCauses(podSpec, 'spec.template.spec', claims));
  const { restartPolicy } = podSpec;
  if (restartPolicy !== undefined && restartPolicy !== 'Always') {
    causes.push(unsupportedValue('spec.template.spec.restartPolicy', restartPolicy, ['Always']));
  }
  causes.push(...strategyCauses(spec));
  const before = objectOr(previous?.spec);
  if (previous !== null && !sameJson(before.selector, spec.selector)) {
    causes.push(invalidValue('spec.selector', spec.selector, immutable));
  }
  return causes;
};

const changeable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

const statefulSetRule: KindRule = (object, previous) => {
  const fixed = (spec: unknown): unknown =>
    Object.entries(objectOr(spec)).filter(([field]) => !changeable.includes(field));
  const causes = workloadRule(object, null);
  if (previous !== null && !sameJson(fixed(previous.spec), fixed(object.spec))) {
    const [last, ...others] = changeable.toReversed();
    const names = others.toReversed().map((field) => `'${field}'`);
    const why = `updates to statefulset spec for fields other than ${names.join(', ')} and '${last}' are forbidden`;
    causes.push(forbiddenValue('spec', why));
  }
  return causes;
};

const roleBindingRule: KindRule = (binding, previous) =>
  previous !== null && !sameJson(previous.roleRef, binding.roleRef)
    ? [invalidValue('roleRef', binding.roleRef, 'cannot change roleRef')]
    : [];

const immutableDataRule: KindRule = (object, previous) => {
  if (previous?.immutable !== true) return [];
  return ['data', 'binaryData']
    .filter((field) => !sameJson(object[field], previous[field]))
    .map((field) => forbiddenValue(field, 'field is immutable when `immutable` is set'));
};

const dataKey = /^(?!\.$|\.\.)[-._a-zA-Z0-9]+$/;
const dataKeyWhy =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

function dataKeyCauses(object: JsonObject, fields: readonly string[]): Cause[] {
  return fields.flatMap((field) =>
    Object.keys(objectOr(object[field]))
      .filter((key) => !dataKey.test(key))
      .map((key) => invalidValue(`${field}[${key}]`, key, dataKeyWhy)),
  );
}

const configMapRule: KindRule = (object, previous) => [
  ...dataKeyCauses(object, ['data', 'binaryData']),
  ...immutableDataRule(object, previous),
];

/** Keys that a secret of a type must have. */
const secretKeys: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
  ['kubernetes.io/dockercfg', ['.dockercfg']],
  ['kubernetes.io/ssh-auth', ['ssh-privatekey']],
]);

const secretRule: KindRule = (object, previous) => {
  const data = objectOr(object.data);
  const causes = dataKeyCauses(object, ['data']);
  for (const key of secretKeys.get(object.type) ?? []) {
    if (data[key] === undefined) causes.push(requiredValue(`data[${key}]`));
  }
  if (previous !== null && previous.type !== object.type) {
    causes.push(invalidValue('type', object.type, immutable));
  }
  return [...causes, ...immutableDataRule(object, previous)];
};

const definitionRule: KindRule = (definition) => {
  const spec = objectOr(definition.spec);
  const name = stringOr(objectOr(definition.metadata).name) ?? '';
  const wanted = `${String(objectOr(spec.names).plural)}.${String(spec.group)}`;
  const causes: Cause[] = [];
  if (name !== wanted) {
    causes.push(invalidValue('metadata.name', name, 'must be spec.names.plural+"."+spec.group'));
  }
  const storing = itemsOf(spec, 'versions').filter((version) => version.storage === true);
  if (storing.length !== 1) {
    causes.push(
      invalidValue(
        'spec.versions',
        storing.length,
        'must have exactly one version marked as storage version',
      ),
    );
  }
  return causes;
};

/** By collection. */
export const kindRules: Readonly<Record<string, KindRule>> = {
  '/pods': podRule,
  '/services': serviceCauses,
  '/endpoints': endpointsCauses,
  'discovery.k8s.io/endpointslices': endpointSliceCauses,
  'networking.k8s.io/networkpolicies': networkPolicyCauses,
  '/configmaps': configMapRule,
  '/secrets': secretRule,
  'apps/deployments': workloadRule,
  'apps/replicasets': workloadRule,
  'apps/daemonsets': workloadRule,
  'apps/statefulsets': statefulSetRule,
  'autoscaling/horizontalpodautoscalers': autoscalerCauses,
  'batch/jobs': jobCauses,
  'batch/cronjobs': cronJobCauses,
  'rbac.authorization.k8s.io/clusterrolebindings': roleBindingRule,
  'rbac.authorization.k8s.io/rolebindings': roleBindingRule,
  'apiextensions.k8s.io/customresourcedefinitions': definitionRule,
};
