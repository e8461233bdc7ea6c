/** Defaults of the kinds that say how the API itself works: webhooks, definitions, access, priorities. */
import { timestampOf } from '@aquifer/model/kubernetes';
import { isObject, type JsonObject, listOr, objectOr, stringOr } from '../json.ts';
import { fill, fillEmpty, itemsOf } from './fill.ts';

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

const RBAC = 'rbac.authorization.k8s.io';

/** The API group of roles, users and groups. */
export function bindingDefaults(binding: JsonObject): void {
  const roleRef = objectOr(binding.roleRef);
  fillEmpty(roleRef, 'apiGroup', RBAC);
  for (const subject of itemsOf(binding, 'subjects')) {
    if (subject.kind === 'User' || subject.kind === 'Group') {
      fillEmpty(subject, 'apiGroup', RBAC);
    }
  }
}

/** Pods of this priority may take the place of others. */
export function priorityClassDefaults(priorityClass: JsonObject): void {
  fill(priorityClass, 'preemptionPolicy', 'PreemptLowerPriority');
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
