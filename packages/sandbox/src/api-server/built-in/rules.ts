/** What the built-in kinds forbid beyond their schema. */
import type { ApiObject } from '../../cluster-client.ts';
import { isObject, type JsonObject, listOr, objectOr, sameJson, stringOr } from '../json.ts';
import { matchesLabelSelector } from '../selectors.ts';
import { type Cause, invalidValue, requiredValue, unsupportedValue } from '../status.ts';
import { labelCauses } from './names.ts';
import { containersOf, itemsOf } from './pod-defaults.ts';

/** Mistakes of an object; `previous` is null on creation. */
export type KindRule = (object: JsonObject, previous: ApiObject | null) => Cause[];

const immutable = 'field is immutable';

function portCause(field: string, port: unknown): Cause[] {
  return typeof port === 'number' && port >= 1 && port <= 65_535
    ? []
    : [invalidValue(field, port, 'must be between 1 and 65535, inclusive')];
}

function podSpecCauses(spec: JsonObject, at: string): Cause[] {
  const causes: Cause[] = [];
  if (itemsOf(spec, 'containers').length === 0) causes.push(requiredValue(`${at}.containers`));
  const volumes = new Set(itemsOf(spec, 'volumes').map((volume) => volume.name));
  for (const list of ['containers', 'initContainers']) {
    for (const [index, container] of itemsOf(spec, list).entries()) {
      const path = `${at}.${list}[${index}]`;
      if ((stringOr(container.image) ?? '') === '') causes.push(requiredValue(`${path}.image`));
      causes.push(...containerCauses(container, path, volumes));
    }
  }
  const names = containersOf(spec).map((container) => container.name);
  const repeated = names.findIndex((name, index) => names.indexOf(name) < index);
  if (repeated >= 0) {
    causes.push({
      reason: 'FieldValueDuplicate',
      message: `Duplicate value: ${JSON.stringify(names[repeated])}`,
      field: `${at}.containers[${repeated}].name`,
    });
  }
  return causes;
}

function containerCauses(
  container: JsonObject,
  path: string,
  volumes: ReadonlySet<unknown>,
): Cause[] {
  const ports = itemsOf(container, 'ports').flatMap((port, index) =>
    portCause(`${path}.ports[${index}].containerPort`, port.containerPort),
  );
  const mounts = itemsOf(container, 'volumeMounts').flatMap((mount, index): Cause[] =>
    volumes.has(mount.name)
      ? []
      : [
          {
            reason: 'FieldValueNotFound',
            message: `Not found: ${JSON.stringify(mount.name)}`,
            field: `${path}.volumeMounts[${index}].name`,
          },
        ],
  );
  return [...ports, ...mounts];
}

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
    causes.push({
      reason: 'FieldValueForbidden',
      message:
        'Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
      field: 'spec',
    });
  }
  return causes;
};

function stripUndefined(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** Go prints the template's labels as JSON in this message. */
function templateCauses(spec: JsonObject, restartPolicies: readonly string[]): Cause[] {
  const template = objectOr(spec.template);
  const labels = objectOr(objectOr(template.metadata).labels);
  const podSpec = objectOr(template.spec);
  const causes: Cause[] = labelCauses(labels, 'spec.template.metadata.labels');
  if (!matchesLabelSelector(spec.selector, labels)) {
    causes.push(
      invalidValue(
        'spec.template.metadata.labels',
        labels,
        '`selector` does not match template `labels`',
      ),
    );
  }
  causes.push(...podSpecCauses(podSpec, 'spec.template.spec'));
  if (!restartPolicies.includes(String(podSpec.restartPolicy))) {
    causes.push(
      unsupportedValue('spec.template.spec.restartPolicy', podSpec.restartPolicy, restartPolicies),
    );
  }
  return causes;
}

const workloadRule: KindRule = (object, previous) => {
  const spec = objectOr(object.spec);
  const causes: Cause[] = [];
  if (typeof spec.replicas === 'number' && spec.replicas < 0) {
    causes.push(invalidValue('spec.replicas', spec.replicas, 'must be greater than or equal to 0'));
  }
  const { matchLabels, matchExpressions } = objectOr(spec.selector);
  if (!isObject(matchLabels) && listOr(matchExpressions).length === 0) {
    causes.push(
      invalidValue(
        'spec.selector',
        objectOr(spec.selector),
        'empty selector is invalid for deployment',
      ),
    );
  }
  causes.push(...templateCauses(spec, ['Always']));
  const before = objectOr(previous?.spec);
  if (previous !== null && !sameJson(before.selector, spec.selector)) {
    causes.push(invalidValue('spec.selector', spec.selector, immutable));
  }
  return causes;
};

const jobRule: KindRule = (object, previous) => {
  const spec = objectOr(object.spec);
  const causes = templateCauses(spec, ['OnFailure', 'Never']);
  if (previous !== null && !sameJson(objectOr(previous.spec).template, spec.template)) {
    causes.push(invalidValue('spec.template', spec.template, immutable));
  }
  return causes;
};

const serviceTypes = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];

const serviceRule: KindRule = (service) => {
  const spec = objectOr(service.spec);
  const ports = itemsOf(spec, 'ports');
  const causes: Cause[] = [];
  if (!serviceTypes.includes(String(spec.type))) {
    causes.push(unsupportedValue('spec.type', spec.type, serviceTypes));
  }
  if (ports.length === 0 && spec.clusterIP !== 'None' && spec.type !== 'ExternalName') {
    causes.push(requiredValue('spec.ports'));
  }
  for (const [index, port] of ports.entries()) {
    causes.push(...portCause(`spec.ports[${index}].port`, port.port));
    if (ports.length > 1 && (stringOr(port.name) ?? '') === '') {
      causes.push(requiredValue(`spec.ports[${index}].name`));
    }
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
    .map((field) => ({
      reason: 'FieldValueForbidden',
      message: 'Forbidden: field is immutable when `immutable` is set',
      field,
    }));
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
  '/services': serviceRule,
  '/configmaps': immutableDataRule,
  '/secrets': immutableDataRule,
  'apps/deployments': workloadRule,
  'apps/replicasets': workloadRule,
  'apps/daemonsets': workloadRule,
  'apps/statefulsets': workloadRule,
  'batch/jobs': jobRule,
  'rbac.authorization.k8s.io/clusterrolebindings': roleBindingRule,
  'rbac.authorization.k8s.io/rolebindings': roleBindingRule,
  'apiextensions.k8s.io/customresourcedefinitions': definitionRule,
};
