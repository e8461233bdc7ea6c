/** How requests are traced, of all that is said in one place after another (Istio docs "Telemetry", tracing). */
import type { Telemetry } from '@aquifer/model/resources';
import { type CustomTags, customTag, type MeshTelemetry } from './mesh-telemetry.ts';
import { holdsFor, namesOf, type Side } from './side.ts';

type Tracing = NonNullable<NonNullable<Telemetry['spec']>['tracing']>[number];

export interface TracingChoice {
  /** Name of the provider. */
  readonly provider: string;
  /** Null for what the mesh's configuration says. */
  readonly samplingPercent: number | null;
  /** Null for what the mesh's configuration says. */
  readonly customTags: CustomTags | null;
  /** Whether the id of a request says whether it is sampled. */
  readonly sampledBy: 'request-id' | 'chance';
  readonly istioTags: 'added' | 'left-out';
  readonly contexts: 'passed-on' | 'dropped';
}

/** Null where nothing is reported. What is said later wins, field by field; of several providers the first counts. */
export function mergedTracing(
  said: readonly Tracing[],
  side: Side,
  { defaultProviders }: Pick<MeshTelemetry, 'defaultProviders'>,
): TracingChoice | null {
  const holding = said.filter(({ match }) => holdsFor(match?.mode, side));
  const [provider] = holding.reduce<readonly string[]>(
    (names, { providers }) => namesOf(providers, names),
    defaultProviders.tracing,
  );
  const isDisabled = lastSaid(holding, ({ disableSpanReporting }) => disableSpanReporting) ?? false;
  if (provider === undefined || isDisabled) return null;
  const tags = lastSaid(holding, ({ customTags }) => customTags);
  const usesRequestId = lastSaid(holding, (tracing) => tracing.useRequestIdForTraceSampling);
  const hasTags = lastSaid(holding, ({ enableIstioTags }) => enableIstioTags) ?? true;
  const isDropped = lastSaid(holding, (tracing) => tracing.disableContextPropagation) ?? false;
  return {
    provider,
    samplingPercent: lastSaid(holding, (tracing) => tracing.randomSamplingPercentage) ?? null,
    customTags: tags === null ? null : tagsOf(tags),
    sampledBy: (usesRequestId ?? true) ? 'request-id' : 'chance',
    istioTags: hasTags ? 'added' : 'left-out',
    contexts: isDropped ? 'dropped' : 'passed-on',
  };
}

function lastSaid<T>(
  said: readonly Tracing[],
  read: (tracing: Tracing) => T | null | undefined,
): T | null {
  return said.map(read).findLast((value) => value !== undefined && value !== null) ?? null;
}

function tagsOf(written: NonNullable<Tracing['customTags']>): CustomTags {
  const made = Object.entries(written).flatMap(([name, said]) => {
    const tag = customTag(said);
    return tag === null ? [] : [[name, tag] as const];
  });
  return Object.fromEntries(made);
}
