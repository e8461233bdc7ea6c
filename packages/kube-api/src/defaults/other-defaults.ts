/** Defaults of the kinds that need only a few. */
import { isObject, type JsonObject, listOr, objectOr, stringOr, timestampOf } from '../json.ts';
import { fill, itemsOf } from './pod-defaults.ts';

/** The name as a label, the finalizer that lets a namespace empty itself, and its phase. */
export function namespaceDefaults(namespace: JsonObject): void {
  const metadata = objectOr(namespace.metadata);
  metadata.labels = { ...objectOr(metadata.labels), 'kubernetes.io/metadata.name': metadata.name };
  fill(namespace, 'spec', {});
  if (metadata.deletionTimestamp === undefined) {
    fill(objectOr(namespace.spec), 'finalizers', ['kubernetes']);
  }
  fill(namespace, 'status', { phase: 'Active' });
}

/** `stringData` is write-only: its values end up in `data`, in base64. */
export function secretDefaults(secret: JsonObject): void {
  fill(secret, 'type', 'Opaque');
  if (!isObject(secret.stringData)) return;
  const plain = Object.entries(secret.stringData).map(([key, value]) => [
    key,
    Buffer.from(String(value)).toString('base64'),
  ]);
  secret.data = { ...objectOr(secret.data), ...Object.fromEntries(plain) };
  delete secret.stringData;
}

/** Fail closed within ten seconds, everything selected. */
export function webhookDefaults(configuration: JsonObject): void {
  const mutating = configuration.kind === 'MutatingWebhookConfiguration';
  for (const webhook of itemsOf(configuration, 'webhooks')) {
    fill(webhook, 'failurePolicy', 'Fail');
    fill(webhook, 'matchPolicy', 'Equivalent');
    fill(webhook, 'namespaceSelector', {});
    fill(webhook, 'objectSelector', {});
    fill(webhook, 'timeoutSeconds', 10);
    if (mutating) fill(webhook, 'reinvocationPolicy', 'Never');
    for (const rule of itemsOf(webhook, 'rules')) fill(rule, 'scope', '*');
    const { service } = objectOr(webhook.clientConfig);
    if (isObject(service)) fill(service, 'port', 443);
  }
}

/** The API group of users and groups. */
export function bindingDefaults(binding: JsonObject): void {
  const roleRef = objectOr(binding.roleRef);
  if (stringOr(roleRef.apiGroup) === '') roleRef.apiGroup = 'rbac.authorization.k8s.io';
  for (const subject of itemsOf(binding, 'subjects')) {
    if (subject.kind === 'User' || subject.kind === 'Group') {
      fill(subject, 'apiGroup', 'rbac.authorization.k8s.io');
    }
  }
}

/** Ports have a name, empty if none, and TCP. */
export function endpointSliceDefaults(slice: JsonObject): void {
  for (const port of itemsOf(slice, 'ports')) {
    fill(port, 'name', '');
    fill(port, 'protocol', 'TCP');
  }
}

/** One pod at least, and 80 % of the CPU unless other metrics are given. Its first version knows no others. */
export function autoscalerDefaults(autoscaler: JsonObject): void {
  const spec = objectOr(autoscaler.spec);
  fill(spec, 'minReplicas', 1);
  if (autoscaler.apiVersion === 'autoscaling/v1') {
    fill(spec, 'targetCPUUtilizationPercentage', 80);
    fill(autoscaler, 'status', { desiredReplicas: 0 });
    return;
  }
  const target = { type: 'Utilization', averageUtilization: 80 };
  fill(spec, 'metrics', [{ type: 'Resource', resource: { name: 'cpu', target } }]);
  fill(autoscaler, 'status', { currentMetrics: null, desiredReplicas: 0 });
}

/** A lease has a spec, however empty. */
export function leaseDefaults(lease: JsonObject): void {
  fill(lease, 'spec', {});
}

function established(type: string, reason: string, message: string, now: string): JsonObject {
  return { type, status: 'True', lastTransitionTime: now, reason, message };
}

/** A definition is established as soon as it is stored: there is one server and it serves the kind at once. */
export function customResourceDefinitionDefaults(definition: JsonObject): void {
  const spec = objectOr(definition.spec);
  const names = objectOr(spec.names);
  const kind = stringOr(names.kind) ?? '';
  fill(names, 'singular', kind.toLowerCase());
  fill(names, 'listKind', `${kind}List`);
  fill(spec, 'conversion', { strategy: 'None' });
  const status = objectOr(definition.status);
  const now = timestampOf(new Date());
  if (listOr(status.conditions).length === 0) {
    status.conditions = [
      established('NamesAccepted', 'NoConflicts', 'no conflicts found', now),
      established(
        'Established',
        'InitialNamesAccepted',
        'the initial names have been accepted',
        now,
      ),
    ];
  }
  status.acceptedNames = names;
  const stored = itemsOf(spec, 'versions').find((version) => version.storage === true);
  status.storedVersions = [
    ...new Set([...listOr(status.storedVersions), ...(stored === undefined ? [] : [stored.name])]),
  ];
  definition.status = status;
}
