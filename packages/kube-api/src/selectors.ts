/** Label and field selectors, as on the wire (apimachinery `labels.Parse`, `fields.ParseSelector`). */
import type { ApiObject } from './cluster-client.ts';
import { isObject, listOr, objectOr, stringOr, valueAt } from './json.ts';
import { type LabelTest, parseLabelTests, valueTest } from './label-selectors.ts';
import { badRequest } from './status.ts';

/** Whether an object is selected. */
export type Predicate = (object: ApiObject) => boolean;

/** Throws 400 if the selector does not parse. Empty or absent selects everything. */
export function parseLabelSelector(selector: string | undefined): Predicate {
  const tests = parseLabelTests(selector ?? '');
  return (object) => {
    const labels = object.metadata.labels ?? {};
    return tests.every((test) => test(labels));
  };
}

function expressionTest(expression: unknown): LabelTest {
  const { key, operator, values } = objectOr(expression);
  const name = stringOr(key) ?? '';
  const allowed = listOr(values).map(String);
  switch (operator) {
    case 'In':
      return valueTest(name, 'in', allowed);
    case 'NotIn':
      return valueTest(name, 'notin', allowed);
    case 'Exists':
      return (labels) => name in labels;
    case 'DoesNotExist':
      return (labels) => !(name in labels);
    default:
      return () => false;
  }
}

/** A metav1.LabelSelector (an object, not the wire form); absent or empty selects everything. */
export function matchesLabelSelector(
  selector: unknown,
  labels: Readonly<Record<string, unknown>>,
): boolean {
  if (!isObject(selector)) return true;
  const equal = Object.entries(objectOr(selector.matchLabels)).every(
    ([key, value]) => labels[key] === value,
  );
  return equal && listOr(selector.matchExpressions).every((item) => expressionTest(item)(labels));
}

/** Field labels beyond `metadata.name` and `metadata.namespace`, by `group/plural` (kube-apiserver's own lists). */
const fieldLabels: Readonly<Record<string, readonly string[]>> = {
  '/pods': [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  '/events': [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  '/nodes': ['spec.unschedulable'],
  '/namespaces': ['status.phase'],
  '/secrets': ['type'],
  '/replicationcontrollers': ['status.replicas'],
  'apps/replicasets': ['status.replicas'],
  'batch/jobs': ['status.successful'],
  'certificates.k8s.io/certificatesigningrequests': ['spec.signerName'],
};

function fieldText(object: ApiObject, label: string): string {
  const value = valueAt(object, label.split('.'));
  if (label === 'source' && isObject(value)) return stringOr(value.component) ?? '';
  return value === undefined || value === null ? '' : String(value);
}

/**
 * Throws 400 for a field that the resource does not index. `selectable` are a CRD's own fields, such as
 * `.spec.host`.
 */
export function parseFieldSelector(
  selector: string | undefined,
  collection: string,
  selectable: readonly string[] = [],
): Predicate {
  const terms = (selector ?? '').split(',').filter((term) => term !== '');
  if (terms.length === 0) return () => true;
  const known = [
    'metadata.name',
    'metadata.namespace',
    ...(fieldLabels[collection] ?? []),
    ...selectable,
  ];
  const tests = terms.map((term): Predicate => {
    const parts = /^([^=!]+)(==|=|!=)(.*)$/.exec(term);
    if (parts === null) {
      throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`);
    }
    const [, label = '', operator, wanted = ''] = parts;
    if (!known.includes(label)) throw badRequest(`field label not supported: ${label}`);
    const equal = operator !== '!=';
    return (object) => (fieldText(object, label) === wanted) === equal;
  });
  return (object) => tests.every((test) => test(object));
}
