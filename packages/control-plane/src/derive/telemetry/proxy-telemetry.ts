/** What a proxy tells about what it carries: all that is said of it, with the providers found. Plain values, equal where nothing differs. */
import type { Telemetry } from '@aquifer/model/resources';
import type { ExtensionProvider } from '../extension-providers.ts';
import { expressionProblem } from './expressions.ts';
import { mergedLogs } from './merged-logs.ts';
import { type MetricsChoice, mergedMetrics } from './merged-metrics.ts';
import { mergedTracing, type TracingChoice } from './merged-tracing.ts';
import type { CustomTag, MeshTelemetry } from './mesh-telemetry.ts';
import type { Side } from './side.ts';
import {
  BUILT_IN,
  type FileLog,
  type LogProvider,
  type ProviderService,
  type TelemetryProvider,
  type Tracer,
} from './telemetry-providers.ts';

/** A log that is written. */
interface WrittenLog {
  readonly provider: LogProvider;
  /** Only what it holds for is logged; null for everything. */
  readonly expression: string | null;
}

export interface ProxyTracing extends Omit<TracingChoice, 'provider' | 'customTags'> {
  readonly tracer: Tracer;
  readonly samplingPercent: number;
  readonly customTags: Readonly<Record<string, CustomTag>>;
  /** 0 for what the proxy does by itself. */
  readonly maxTagLength: number;
  /** Who makes the spans, as the tags of Istio say it. */
  readonly maker: SpanMaker;
}

export interface SpanMaker {
  readonly role: 'waypoint' | 'sidecar' | 'router';
  readonly namespace: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly clusterId: string;
  readonly meshId: string;
}

export interface ProxyTelemetry {
  readonly logs: readonly WrittenLog[];
  /** Null where no spans are made. */
  readonly tracing: ProxyTracing | null;
  /** Of Istio's metrics; null where nobody asks for them. */
  readonly metrics: MetricsChoice | null;
}

/** How telemetry is merged for one proxy. */
export interface MergeContext {
  readonly side: Side;
  readonly maker: SpanMaker;
  readonly mesh: MeshTelemetry;
  readonly providers: readonly ExtensionProvider[];
  /** Whether there is exactly that service. */
  isKnown(service: ProviderService): boolean;
}

/** `telemetries` are from the widest to the narrowest. */
export function proxyTelemetry(
  telemetries: readonly Telemetry[],
  context: MergeContext,
): ProxyTelemetry {
  return {
    logs: logsOf(telemetries, context),
    tracing: tracingOf(telemetries, context),
    // The Envoy of a sidecar or a gateway counts none of Istio's (docs/adr/0035-sidecars-by-view.md).
    metrics: context.maker.role === 'waypoint' ? metricsOf(telemetries, context) : null,
  };
}

/** Names of providers are compared without regard to case, as Istio does. */
export function providerNamed(
  name: string,
  providers: readonly ExtensionProvider[],
): TelemetryProvider | null {
  const folded = name.toLowerCase();
  const own = providers.find((provider) => provider.name.toLowerCase() === folded);
  if (own !== undefined) return own.telemetry;
  return Object.hasOwn(BUILT_IN, folded) ? BUILT_IN[folded]! : null;
}

/** As the mesh's configuration writes it. */
function ownName(name: string, providers: readonly ExtensionProvider[]): string {
  const folded = name.toLowerCase();
  return providers.find((provider) => provider.name.toLowerCase() === folded)?.name ?? name;
}

/** Where no provider of logs counts, what the mesh's configuration says itself. */
function logsOf(telemetries: readonly Telemetry[], context: MergeContext): readonly WrittenLog[] {
  const { side, mesh, providers } = context;
  const places = telemetries.map(({ spec }) => spec?.accessLogging ?? []);
  const choices = mergedLogs(places, side, mesh);
  const counting = [...choices]
    .map(([name, choice]) => [ownName(name, providers), choice] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, choice]) => {
      const provider = logProvider(providerNamed(name, providers), name, context);
      return provider === null ? [] : [{ provider, choice }];
    });
  if (counting.length > 0) {
    return counting.flatMap(({ provider, choice }) => {
      if (choice.kind === 'off' || isRefused(choice.expression)) return [];
      if (context.maker.role === 'waypoint' && waypointProblem(provider) !== null) return [];
      return [{ provider, expression: choice.expression }];
    });
  }
  const { accessLogFile, accessLogFormat: format } = mesh;
  if (accessLogFile === null) return [];
  const provider: FileLog = { kind: 'file', path: accessLogFile, format, emptyValues: 'shown' };
  const isWritten = context.maker.role !== 'waypoint' || waypointProblem(provider) === null;
  return isWritten ? [{ provider, expression: null }] : [];
}

/** Nobody knows what it was to let through: nothing is logged then. */
function isRefused(expression: string | null): boolean {
  return expression !== null && expressionProblem(expression) !== null;
}

/** Why a waypoint of this mesh does not write such a log; null if it does. */
export function waypointProblem(provider: LogProvider): string | null {
  if (provider.kind === 'streamed') return 'waypoints stream no entries; use envoyOtelAls instead';
  if (provider.kind === 'records' || STREAMS.includes(provider.path)) return null;
  return `waypoints write to ${STREAMS.join(' and ')} only, not to ${provider.path}`;
}

const STREAMS: readonly string[] = ['/dev/stdout', '/dev/stderr'];

function logProvider(
  provider: TelemetryProvider | null,
  name: string,
  { mesh, isKnown }: MergeContext,
): LogProvider | null {
  switch (provider?.kind) {
    case 'file': {
      const isBuiltIn = name.toLowerCase() === 'envoy' && provider.emptyValues === 'shown';
      return isBuiltIn && provider.format === null
        ? { ...provider, format: mesh.accessLogFormat }
        : provider;
    }
    case 'streamed':
    case 'records':
      return isKnown(provider.service) ? provider : null;
    default:
      return null;
  }
}

function tracingOf(
  telemetries: readonly Telemetry[],
  { side, maker, mesh, providers, isKnown }: MergeContext,
): ProxyTracing | null {
  const said = telemetries.flatMap(({ spec }) => spec?.tracing ?? []);
  const choice = mergedTracing(said, side, mesh);
  if (choice === null) return null;
  const { provider, customTags, ...rest } = choice;
  const tracer = providerNamed(provider, providers);
  if (tracer?.kind !== 'zipkin' && tracer?.kind !== 'opentelemetry') return null;
  if (!isKnown(tracer.service)) return null;
  return {
    ...rest,
    tracer,
    samplingPercent: choice.samplingPercent ?? mesh.samplingPercent,
    customTags: Object.keys(customTags ?? {}).length > 0 ? customTags! : mesh.customTags,
    maxTagLength: tracer.maxTagLength || mesh.maxTagLength,
    maker,
  };
}

/** Metrics that Prometheus collects are the only ones that proxies count. */
function metricsOf(
  telemetries: readonly Telemetry[],
  { side, mesh, providers }: MergeContext,
): MetricsChoice | null {
  const said = telemetries.flatMap(({ spec }) => spec?.metrics ?? []);
  const choices = [...mergedMetrics(said, side, mesh)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const found = choices.find(([name]) => providerNamed(name, providers)?.kind === 'prometheus');
  return found?.[1] ?? null;
}
