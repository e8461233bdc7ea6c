/** Kubernetes conditions: what is there, what should be there, and whether that is the same. */
import { timestampOf } from '@aquifer/model/kubernetes';

/** A condition without its times. */
export interface ConditionText {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

interface StoredCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly lastTransitionTime?: string | null | undefined;
  readonly observedGeneration?: number | string | undefined;
}

export type StoredConditions = readonly StoredCondition[] | undefined;

/** Whether the condition stands there with the same text, for the same generation where one is given. */
export function isPresent(
  wanted: ConditionText & { readonly observedGeneration?: number | string },
  stored: StoredConditions,
): boolean {
  const known = stored?.find(({ type }) => type === wanted.type);
  return (
    known !== undefined &&
    known.status === wanted.status &&
    (known.reason ?? '') === wanted.reason &&
    (known.message ?? '') === wanted.message &&
    (wanted.observedGeneration === undefined ||
      String(known.observedGeneration ?? '') === String(wanted.observedGeneration))
  );
}

/** The condition with `lastTransitionTime`: the stored one while the status stays the same, else now. */
export function withTransitionTime<T extends ConditionText>(
  wanted: T,
  stored: StoredConditions,
  now: Date = new Date(),
): T & { readonly lastTransitionTime: string } {
  const known = stored?.find(({ type }) => type === wanted.type);
  const isSame = known?.status === wanted.status && typeof known.lastTransitionTime === 'string';
  const lastTransitionTime = isSame ? String(known.lastTransitionTime) : timestampOf(now);
  return { ...wanted, lastTransitionTime };
}
