/** How proxies are started where something is said about it: ProxyConfigs, the annotation of their pods, the mesh's configuration. */
import { hasLabels } from '@aquifer/model/kubernetes';
import type { ProxyConfig } from '@aquifer/model/resources';
import { loadAll } from 'js-yaml';
import { isEmptyMap } from './label-maps.ts';
import { Fields, MeshConfigError } from './mesh-config-fields.ts';
import { byAge, type LabelledObject } from './object.ts';

export interface ProxyStart {
  /** Null for as many as the proxy's limit of CPUs: also where 0 is asked for, that is, all of the machine's. */
  readonly threads: number | null;
  /** Of its process, besides what proxies have by themselves. */
  readonly environment: Readonly<Record<string, string>>;
}

export const USUAL_START: ProxyStart = { threads: null, environment: {} };

/** What a waypoint takes. */
const MAX_THREADS = 256;

/** Of `ProxyConfig` in the mesh's configuration. */
export function startIn(fields: Fields | null): ProxyStart {
  const environment = Object.entries(fields?.object('proxyMetadata')?.all() ?? {});
  return {
    threads: threadsOf(fields?.number('concurrency')),
    environment: Object.fromEntries(environment.map(([name, value]) => [name, String(value)])),
  };
}

function threadsOf(concurrency: number | null | undefined): number | null {
  return concurrency ? Math.min(Math.max(Math.trunc(concurrency), 1), MAX_THREADS) : null;
}

/** What the annotation `proxy.istio.io/config` says; as Istio, nothing if it cannot be read. */
export function annotatedStart(text: string | undefined): {
  readonly start: ProxyStart;
  readonly problems: readonly string[];
} {
  if (text === undefined) return { start: USUAL_START, problems: [] };
  try {
    const [document] = loadAll(text);
    const fields = new Fields(document ?? {}, '');
    const start = startIn(fields);
    const unread = fields.unread().toSorted();
    return { start, problems: unread.map((name) => `${name} is not followed`) };
  } catch (error) {
    if (!(error instanceof MeshConfigError || isYamlError(error))) throw error;
    return { start: USUAL_START, problems: [`it cannot be read: ${firstLine(error)}`] };
  }
}

function isYamlError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'YAMLException';
}

function firstLine({ message }: Error): string {
  return message.split('\n', 1)[0]!;
}

/** The pod of a proxy. */
interface StartedProxy {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotation: string | undefined;
}

interface StartSettings {
  readonly rootNamespace: string;
  readonly proxies: ProxyStart;
}

/**
 * The narrowest that says something counts: the pod's annotation, ProxyConfigs that select it, those of its namespace, those
 * of the mesh, the mesh's configuration; among several alike the oldest. Variables add up.
 */
export function effectiveStart(
  { namespace, labels, annotation }: StartedProxy,
  { rootNamespace, proxies }: StartSettings,
  configsIn: (namespace: string) => readonly ProxyConfig[],
): ProxyStart {
  const selecting = configsIn(namespace).filter(
    (config) => !isWide(config) && hasLabels(selectorOf(config), labels),
  );
  const wide = [...new Set([namespace, rootNamespace])].map((each) =>
    configsIn(each).filter(isWide),
  );
  const configs = [selecting, ...wide].flatMap((all) => all.toSorted(byAge)).map(startOf);
  const said = [annotatedStart(annotation).start, ...configs, proxies];
  return {
    threads: said.find(({ threads }) => threads !== null)?.threads ?? null,
    environment: Object.assign({}, ...said.map(({ environment }) => environment).toReversed()),
  };
}

function startOf({ spec = {} }: ProxyConfig): ProxyStart {
  return { threads: threadsOf(spec.concurrency), environment: spec.environmentVariables ?? {} };
}

function selectorOf({ spec = {} }: ProxyConfig): Readonly<Record<string, string>> {
  return spec.selector?.matchLabels ?? {};
}

function isWide(config: ProxyConfig & LabelledObject): boolean {
  return isEmptyMap(selectorOf(config));
}

/** What waypoints and gateways do not do of it, each a sentence that begins with the field. */
export function startProblems({ spec = {} }: ProxyConfig): readonly string[] {
  const { concurrency, image } = spec;
  return [
    ...((concurrency ?? 0) > MAX_THREADS
      ? [`concurrency: proxies have no more than ${MAX_THREADS} threads`]
      : []),
    ...((image?.imageType ?? '') === ''
      ? []
      : ['image.imageType: proxies of one kind have one image']),
  ];
}
