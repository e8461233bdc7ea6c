/** Rules for names, labels and annotations (apimachinery `validation`), with kube-apiserver's wording. */
import { type JsonObject, listOr, objectOr, stringOr } from '../json.ts';
import {
  type Cause,
  duplicateValue,
  forbiddenValue,
  invalidValue,
  requiredValue,
} from '../status.ts';

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;

const label = new RegExp(`^${LABEL}$`);
const subdomain = new RegExp(`^${SUBDOMAIN}$`);
const serviceName = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const qualifiedName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const pathSegment = /^(?!\.{1,2}$)[^/%]+$/;

interface NameRule {
  readonly pattern: RegExp;
  readonly maxLength: number;
  readonly why: string;
}

const labelRule: NameRule = {
  pattern: label,
  maxLength: 63,
  why: `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${LABEL}')`,
};
const serviceRule: NameRule = {
  pattern: serviceName,
  maxLength: 63,
  why: "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
};
const subdomainRule: NameRule = {
  pattern: subdomain,
  maxLength: 253,
  why: `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${SUBDOMAIN}')`,
};
const segmentRule: NameRule = {
  pattern: pathSegment,
  maxLength: 253,
  why: "may not contain '/' or '%'",
};

const rules: Readonly<Record<string, NameRule>> = {
  '/namespaces': labelRule,
  '/services': serviceRule,
  'rbac.authorization.k8s.io/roles': segmentRule,
  'rbac.authorization.k8s.io/rolebindings': segmentRule,
  'rbac.authorization.k8s.io/clusterroles': segmentRule,
  'rbac.authorization.k8s.io/clusterrolebindings': segmentRule,
};

function nameCauses(collection: string, name: string): Cause[] {
  return textCauses('metadata.name', name, rules[collection] ?? subdomainRule);
}

function textCauses(field: string, name: string, rule: NameRule): Cause[] {
  const causes: Cause[] = [];
  if (name.length > rule.maxLength) {
    causes.push(invalidValue(field, name, `must be no more than ${rule.maxLength} bytes`));
  }
  if (!rule.pattern.test(name)) causes.push(invalidValue(field, name, rule.why));
  return causes;
}

/** A name of containers, volumes and ports: required, and an RFC 1123 label. */
export function labelNameCauses(field: string, name: unknown): Cause[] {
  const text = stringOr(name) ?? '';
  return text === '' ? [requiredValue(field)] : textCauses(field, text, labelRule);
}

/** A domain name. */
export function subdomainNameCauses(field: string, name: string): Cause[] {
  return textCauses(field, name, subdomainRule);
}

const qualifiedWhy =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const valueWhy =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

function isQualifiedName(key: string): boolean {
  const parts = key.split('/');
  const name = parts.at(-1) ?? '';
  const prefix = parts.length === 2 ? parts[0] : undefined;
  if (parts.length > 2 || name.length > 63 || !qualifiedName.test(name)) return false;
  return prefix === undefined || subdomain.test(prefix);
}

function keyCauses(map: JsonObject, field: string): Cause[] {
  return Object.keys(map)
    .filter((key) => !isQualifiedName(field === 'metadata.annotations' ? key.toLowerCase() : key))
    .map((key) => invalidValue(field, key, qualifiedWhy));
}

/** Mistakes in the labels at a field. */
export function labelCauses(labels: unknown, field: string): Cause[] {
  const map = objectOr(labels);
  const badValues = Object.values(map).filter((value) => {
    const text = stringOr(value) ?? '';
    return text.length > 63 || !labelValue.test(text);
  });
  return [
    ...keyCauses(map, field),
    ...badValues.map((value) => invalidValue(field, value, valueWhy)),
  ];
}

const standardFinalizers = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

/** Finalizers of the built-in kinds have a domain, or are Kubernetes' own; one that is being deleted takes no new ones. */
export function finalizerCauses(
  metadata: JsonObject,
  previous: { readonly finalizers?: readonly string[]; readonly deletionTimestamp?: string } | null,
  builtIn: boolean,
): Cause[] {
  const finalizers = listOr(metadata.finalizers).map(String);
  const why = 'name is neither a standard finalizer name nor is it fully qualified';
  const causes = finalizers.flatMap((name, index) =>
    builtIn && !name.includes('/') && !standardFinalizers.has(name)
      ? [invalidValue(`metadata.finalizers[${index}]`, name, why)]
      : [],
  );
  const before = previous?.finalizers ?? [];
  const added = finalizers.filter((name) => !before.includes(name)).toSorted();
  if (previous?.deletionTimestamp !== undefined && added.length > 0) {
    const list = `[]string{${added.map((name) => JSON.stringify(name)).join(', ')}}`;
    const problem = `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`;
    causes.push(forbiddenValue('metadata.finalizers', problem));
  }
  return causes;
}

/** Mistakes in an object's metadata. */
export function metadataCauses(
  collection: string,
  namespaced: boolean,
  metadata: JsonObject,
): Cause[] {
  const name = stringOr(metadata.name) ?? '';
  const causes: Cause[] =
    name === ''
      ? [requiredValue('metadata.name', 'name or generateName is required')]
      : nameCauses(collection, name);
  const namespace = stringOr(metadata.namespace);
  if (namespaced && namespace === undefined) causes.push(requiredValue('metadata.namespace'));
  causes.push(...labelCauses(metadata.labels, 'metadata.labels'));
  causes.push(...keyCauses(objectOr(metadata.annotations), 'metadata.annotations'));
  for (const [index, finalizer] of listOr(metadata.finalizers).entries()) {
    if (!isQualifiedName(String(finalizer))) {
      causes.push(invalidValue(`metadata.finalizers[${index}]`, finalizer, qualifiedWhy));
    }
  }
  return causes;
}

/** Names that occur before in the list. */
export function duplicateNames(items: readonly JsonObject[], at: string): Cause[] {
  const names = items.map((item) => stringOr(item.name) ?? '');
  return names.flatMap((name, index) =>
    name !== '' && names.indexOf(name) < index
      ? [duplicateValue(`${at}[${index}].name`, name)]
      : [],
  );
}
