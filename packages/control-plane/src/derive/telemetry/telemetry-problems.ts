/** What of a Telemetry has no effect, or another one than it says: it is said, never just left out. */
import type { Telemetry } from '@aquifer/model/resources';
import type { ExtensionProvider } from '../extension-providers.ts';
import { isEmptyMap } from '../label-maps.ts';
import { GATEWAY_NAME_LABEL } from '../labels.ts';
import { selectorOf, targetsOf } from './applicable.ts';
import { expressionProblem, unknownAttributes } from './expressions.ts';
import { METRICS } from './merged-metrics.ts';
import type { MeshTelemetry } from './mesh-telemetry.ts';
import { providerNamed, waypointProblem } from './proxy-telemetry.ts';
import { namesOf } from './side.ts';
import type { ProviderService, TelemetryProvider } from './telemetry-providers.ts';

export interface ProblemContext {
  readonly mesh: MeshTelemetry;
  readonly providers: readonly ExtensionProvider[];
  isKnown(service: ProviderService): boolean;
  /** Whether waypoints follow it, and whether sidecars or gateways do. */
  readonly followers: { readonly waypoints: boolean; readonly others: boolean };
  /** Name of another that is for the whole namespace and older, which counts instead; null for none. */
  readonly older: string | null;
  /** Whether what a target names is there. */
  hasTarget(kind: string, name: string): boolean;
}

type Spec = NonNullable<Telemetry['spec']>;

/** One sentence for each problem, which begins with the field. */
export function telemetryProblems(
  telemetry: Telemetry,
  context: ProblemContext,
): readonly string[] {
  const { accessLogging = [], tracing = [], metrics = [] } = telemetry.spec ?? {};
  const { older } = context;
  if (older !== null) {
    return [
      `spec: has no effect, since Telemetry ${older} is for the whole namespace too and is older`,
    ];
  }
  return [
    ...placeProblems(telemetry, context),
    ...accessLogging.flatMap((item, i) => loggingProblems(item, `accessLogging[${i}]`, context)),
    ...tracing.flatMap((item, i) => tracingProblems(item, `tracing[${i}]`, context)),
    ...metrics.flatMap((item, i) => metricsProblems(item, `metrics[${i}]`, context)),
  ];
}

const TARGETS: readonly string[] = ['Service', 'ServiceEntry', 'Gateway', 'GatewayClass'];

function placeProblems(telemetry: Telemetry, { hasTarget }: ProblemContext): string[] {
  const selector = selectorOf(telemetry);
  const ineffective = `selector: does not reach waypoints; name the Gateway in targetRefs`;
  return [
    ...(GATEWAY_NAME_LABEL in selector ? [ineffective] : []),
    ...targetsOf(telemetry).flatMap(({ kind, name }, i) => {
      const path = `targetRefs[${i}]`;
      if (!TARGETS.includes(kind)) return [`${path}: nothing is attached to a ${kind}`];
      return hasTarget(kind, name) ? [] : [`${path}: ${kind} ${name} not found`];
    }),
  ];
}

function loggingProblems(
  { providers, disabled, filter }: NonNullable<Spec['accessLogging']>[number],
  path: string,
  context: ProblemContext,
): string[] {
  const { mesh, followers } = context;
  const usual = mesh.defaultProviders.accessLogging;
  const hasNone = namesOf(providers, usual).length === 0;
  const expression = filter?.expression;
  return [
    ...(hasNone && disabled === true
      ? [
          `${path}.disabled: turns nothing off, since no provider is named and the mesh has no default one; name the provider envoy`,
        ]
      : []),
    ...(hasNone && disabled !== true
      ? [`${path}: names no provider, and the mesh has no default one: it has no effect`]
      : []),
    ...(expression !== undefined && (providers ?? []).length === 0
      ? [`${path}.filter: counts only for providers that are named beside it`]
      : []),
    ...expressionProblems(expression, `${path}.filter.expression`, 'nothing is logged'),
    ...named(providers, path, context, (provider) => {
      if (provider.kind !== 'file' && provider.kind !== 'streamed' && provider.kind !== 'records') {
        return 'takes no access logs';
      }
      return followers.waypoints ? waypointProblem(provider) : null;
    }),
  ];
}

function tracingProblems(
  { providers, customTags = {} }: NonNullable<Spec['tracing']>[number],
  path: string,
  context: ProblemContext,
): string[] {
  const others = (providers ?? []).length > 1;
  return [
    ...(others ? [`${path}.providers: of several providers only the first counts`] : []),
    ...named(providers?.slice(0, 1), path, context, (provider) =>
      provider.kind === 'zipkin' || provider.kind === 'opentelemetry'
        ? null
        : 'takes no spans of this mesh: they go to providers zipkin and opentelemetry',
    ),
    ...Object.entries(customTags).flatMap(([name, tag]) =>
      Object.values(tag).every((source) => source === undefined)
        ? [`${path}.customTags[${name}]: names no source of its value`]
        : [],
    ),
  ];
}

function metricsProblems(
  { providers, overrides = [] }: NonNullable<Spec['metrics']>[number],
  path: string,
  context: ProblemContext,
): string[] {
  const { followers, mesh } = context;
  const hasNone = namesOf(providers, mesh.defaultProviders.metrics).length === 0;
  return [
    ...(hasNone
      ? [`${path}: names no provider, and the mesh has no default one: it has no effect`]
      : []),
    ...(followers.others && overrides.length > 0
      ? [
          `${path}.overrides: only waypoints follow them; sidecars and gateways of this mesh count none of Istio's metrics`,
        ]
      : []),
    ...named(providers, path, context, ({ kind }) =>
      kind === 'prometheus' ? null : 'collects no metrics of proxies: name the provider prometheus',
    ),
    ...overrides.flatMap((override, i) => overrideProblems(override, `${path}.overrides[${i}]`)),
  ];
}

type Override = NonNullable<NonNullable<Spec['metrics']>[number]['overrides']>[number];

function overrideProblems({ match, tagOverrides = {} }: Override, path: string): string[] {
  const { customMetric } = match ?? {};
  const isUnknown = customMetric !== undefined && !Object.values(METRICS).includes(customMetric);
  return [
    ...(isUnknown
      ? [`${path}.match.customMetric: no proxy of this mesh has a metric ${customMetric}`]
      : []),
    ...Object.entries(tagOverrides).flatMap(([label, { operation, value = '' }]) => {
      const at = `${path}.tagOverrides[${label}].value`;
      if (operation === 'REMOVE') return [];
      if (value === '') return [`${at}: is missing; to take the label away, say operation REMOVE`];
      return expressionProblems(value, at, 'its value is always unknown');
    }),
  ];
}

/** `outcome` is what comes of attributes that nobody has. */
function expressionProblems(text: string | undefined, path: string, outcome: string): string[] {
  if (text === undefined) return [];
  const problem = expressionProblem(text);
  if (problem !== null) return [`${path}: ${problem}; ${outcome}`];
  const unknown = unknownAttributes(text);
  if (unknown.length === 0) return [];
  return [`${path}: there is no attribute ${unknown.join(', ')}; what asks for it has no value`];
}

/** Of each provider that is named what keeps it from being followed. */
function named(
  providers: readonly { readonly name: string }[] | undefined,
  path: string,
  { providers: known, isKnown }: ProblemContext,
  problemOf: (provider: TelemetryProvider) => string | null,
): string[] {
  return (providers ?? []).flatMap(({ name }, i) => {
    const at = `${path}.providers[${i}]`;
    const provider = providerNamed(name, known);
    if (provider === null) {
      return [
        `${at}: ${name} is no telemetry provider of extensionProviders in the mesh's configuration`,
      ];
    }
    const problem = problemOf(provider);
    if (problem !== null) return [`${at}: ${name}: ${problem}`];
    const service = 'service' in provider ? provider.service : null;
    if (service === null || isKnown(service)) return [];
    return [`${at}: ${name}: there is no single service ${service.hostname} in the mesh`];
  });
}

/** Whether it holds for proxies that are no waypoints, and for those that are. */
export function followersOf(telemetry: Telemetry): ProblemContext['followers'] {
  const hasTargets = targetsOf(telemetry).length > 0;
  const hasSelector = !isEmptyMap(selectorOf(telemetry));
  return { waypoints: !hasSelector, others: !hasTargets };
}
