import type { RuntimeFractionalPercent } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  FractionalPercent_DenominatorType as Denominator,
  type FractionalPercent,
} from '@aquifer/wire/gen/envoy/type/v3_pb';

const DENOMINATORS: Readonly<Record<Denominator, number>> = {
  [Denominator.HUNDRED]: 100,
  [Denominator.TEN_THOUSAND]: 10_000,
  [Denominator.MILLION]: 1_000_000,
};

/** Of requests, from 0 to 1; `otherwise` where nothing is said. */
export function fractionOf(percent: FractionalPercent | undefined, otherwise: number): number {
  if (percent === undefined) return otherwise;
  return Math.min(1, percent.numerator / (DENOMINATORS[percent.denominator] ?? 100));
}

/** The same where it could be changed at run time, which it is not here. */
export function runtimeFractionOf(
  percent: RuntimeFractionalPercent | undefined,
  otherwise: number,
): number {
  return fractionOf(percent?.defaultValue, otherwise);
}

/** Whether this request is one of them: drawn anew for each (spec l7 0.5). */
export function isDrawn(fraction: number): boolean {
  return fraction >= 1 || (fraction > 0 && Math.random() < fraction);
}
