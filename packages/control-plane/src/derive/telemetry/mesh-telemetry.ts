/** What the configuration of the mesh says of telemetry where no Telemetry does (spec control-plane 12). */
import { type Fields, MeshConfigError } from '../mesh-config-fields.ts';
import type { JsonMembers, LineFormat } from './telemetry-providers.ts';

/** Where the value of a tag of spans comes from. */
export type CustomTag =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'environment' | 'header'; readonly name: string; readonly default: string }
  | { readonly kind: 'formatter'; readonly format: string };

export type CustomTags = Readonly<Record<string, CustomTag>>;

export interface MeshTelemetry {
  /** Where every proxy writes what it carries; null for nowhere. */
  readonly accessLogFile: string | null;
  /** Null for the usual one. */
  readonly accessLogFormat: LineFormat | null;
  /** Names of providers, for what no Telemetry says. */
  readonly defaultProviders: {
    readonly accessLogging: readonly string[];
    readonly metrics: readonly string[];
    readonly tracing: readonly string[];
  };
  /** Of requests that nobody has decided about. */
  readonly samplingPercent: number;
  readonly customTags: CustomTags;
  /** 0 for what proxies do by themselves. */
  readonly maxTagLength: number;
  readonly meshId: string;
}

const USUAL_SAMPLING_PERCENT = 1;

/** Of a mesh that nobody has configured: every proxy writes what it carries. */
export const USUAL_TELEMETRY: MeshTelemetry = {
  accessLogFile: '/dev/stdout',
  accessLogFormat: null,
  defaultProviders: { accessLogging: [], metrics: [], tracing: [] },
  samplingPercent: USUAL_SAMPLING_PERCENT,
  customTags: {},
  maxTagLength: 0,
  meshId: '',
};

export function meshTelemetry(root: Fields, defaults: Fields | null): MeshTelemetry {
  // Without a provider it says nothing: proxies make no spans then.
  root.flag('enableTracing');
  const encoding = root.text('accessLogEncoding') ?? 'TEXT';
  return {
    accessLogFile: root.text('accessLogFile'),
    accessLogFormat: formatOf(root.text('accessLogFormat'), encoding),
    defaultProviders: defaultProviders(root.object('defaultProviders')),
    ...proxyDefaults(defaults),
  };
}

function defaultProviders(fields: Fields | null): MeshTelemetry['defaultProviders'] {
  if (fields === null) return USUAL_TELEMETRY.defaultProviders;
  return {
    accessLogging: fields.texts('accessLogging'),
    metrics: fields.texts('metrics'),
    tracing: fields.texts('tracing'),
  };
}

type ProxyDefaults = Pick<
  MeshTelemetry,
  'samplingPercent' | 'customTags' | 'maxTagLength' | 'meshId'
>;

/** What proxies are told that no ProxyConfig tells otherwise. */
function proxyDefaults(fields: Fields | null): ProxyDefaults {
  const tracing = fields?.object('tracing') ?? null;
  return {
    samplingPercent: samplingOf(tracing),
    customTags: customTags(tracing?.object('customTags') ?? null),
    maxTagLength: tracing?.number('maxPathTagLength') ?? 0,
    meshId: fields?.text('meshId') ?? '',
  };
}

function customTags(tags: Fields | null): CustomTags {
  const made = Object.keys(tags?.all() ?? {}).flatMap((name) => {
    const said = tags!.object(name);
    const textIn = (kind: string) => {
      const fields = said?.object(kind);
      return fields ? { value: fields.text('value') ?? '' } : undefined;
    };
    const namedIn = (kind: string) => {
      const fields = said?.object(kind);
      if (!fields) return undefined;
      return { name: fields.text('name') ?? '', defaultValue: fields.text('defaultValue') ?? '' };
    };
    const tag = customTag({
      literal: textIn('literal'),
      environment: namedIn('environment'),
      header: namedIn('header'),
    });
    return tag === null ? [] : [[name, tag] as const];
  });
  return Object.fromEntries(made);
}

/** As Istio: what is more than all is the usual share. */
function samplingOf(tracing: Fields | null): number {
  const said = tracing?.number('sampling') ?? 0;
  return said > 0 && said <= 100 ? said : USUAL_SAMPLING_PERCENT;
}

function formatOf(format: string | null, encoding: string): LineFormat | null {
  if (encoding === 'TEXT') return format === null ? null : { kind: 'text', text: format };
  if (encoding !== 'JSON') {
    throw new MeshConfigError('accessLogEncoding', `is neither TEXT nor JSON: ${encoding}`);
  }
  if (format === null) return { kind: 'json', members: {} };
  try {
    const members: unknown = JSON.parse(format);
    if (typeof members === 'object' && members !== null && !Array.isArray(members)) {
      return { kind: 'json', members: members as JsonMembers };
    }
  } catch {
    // Said below.
  }
  throw new MeshConfigError('accessLogFormat', 'is no JSON object, which accessLogEncoding wants');
}

/** A tag as resources write it. */
interface WrittenTag {
  readonly literal?: { readonly value: string } | undefined;
  readonly environment?: NamedValue | undefined;
  readonly header?: NamedValue | undefined;
  readonly formatter?: { readonly value: string } | undefined;
}

interface NamedValue {
  readonly name: string;
  readonly defaultValue?: string | undefined;
}

/** Null for one without a source. */
export function customTag({
  literal,
  environment,
  header,
  formatter,
}: WrittenTag): CustomTag | null {
  if (literal !== undefined) return { kind: 'literal', value: literal.value };
  if (formatter !== undefined) return { kind: 'formatter', format: formatter.value };
  const named = environment ?? header;
  if (named === undefined) return null;
  const kind = environment === undefined ? 'header' : 'environment';
  return { kind, name: named.name, default: named.defaultValue ?? '' };
}
