import type { ApiObject, ClusterClient, ResourceKey } from '@aquifer/kube-api';
import { canonical } from './pod-template.ts';

/** Replaces fields of an object's status, unless they are so already. Zero counts are left out, as the real API does. */
export async function writeStatus(
  client: ClusterClient,
  key: ResourceKey,
  object: ApiObject,
  status: Readonly<Record<string, unknown>>,
): Promise<void> {
  const before: Readonly<Record<string, unknown>> = object.status ?? {};
  const patch: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(status)) {
    const wanted = value === 0 && field !== 'replicas' ? undefined : value;
    if (!isEqual(before[field], wanted)) patch[field] = wanted ?? null;
  }
  if (Object.keys(patch).length === 0) return;
  const { name, namespace } = object.metadata;
  const target = { name, ...(namespace === undefined ? {} : { namespace }) };
  await client.mergePatch(key, { ...target, subresource: 'status' }, { status: patch });
}

function isEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(canonical(one)) === JSON.stringify(canonical(other));
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastUpdateTime?: string;
  readonly lastTransitionTime?: string;
}

/** A condition with its times: the transition keeps its time while the status stays, the update while all stays. */
export function timedCondition(
  object: ApiObject,
  condition: Pick<Condition, 'type' | 'status' | 'reason' | 'message'>,
): Condition {
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const conditions: readonly Condition[] = object.status?.conditions ?? [];
  const before = conditions.find(({ type }) => type === condition.type);
  const hasSameStatus = before?.status === condition.status;
  const isSame =
    hasSameStatus && before.reason === condition.reason && before.message === condition.message;
  return {
    ...condition,
    lastUpdateTime: (isSame ? before.lastUpdateTime : null) ?? now,
    lastTransitionTime: (hasSameStatus ? before.lastTransitionTime : null) ?? now,
  };
}
