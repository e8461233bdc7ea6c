/** `extensionProviders` of the mesh's configuration: services that policies and telemetry name (spec l7 5.5). */
import type { Fields } from './mesh-config-fields.ts';
import { durationMs } from './routing/durations.ts';
import {
  type ProviderService,
  providerService,
  serviceOfProvider,
  type TelemetryProvider,
  telemetryProvider,
} from './telemetry/telemetry-providers.ts';

/** Who is asked whether requests may pass. */
export interface AuthorizationProvider {
  readonly kind: 'grpc' | 'http';
  readonly service: ProviderService;
  readonly timeoutMs: number;
  /** What becomes of requests that it does not decide about. */
  readonly failure: 'passes' | 'answered';
  /** Of such answers; null for 403. */
  readonly failureStatus: number | null;
  /** How much of a body is asked about; null for none. */
  readonly body: {
    readonly maxBytes: number;
    readonly ofLonger: 'the-beginning' | 'refused';
  } | null;
  /** Of the kind `http`. */
  readonly pathPrefix: string;
  /** Names, of which one asterisk at an end stands for anything. */
  readonly heardHeaders: readonly string[];
  readonly addedHeaders: readonly (readonly [name: string, value: string])[];
  readonly upstreamOnAllow: readonly string[];
  readonly downstreamOnAllow: readonly string[];
  readonly downstreamOnDeny: readonly string[];
}

export interface ExtensionProvider {
  readonly name: string;
  /** Null for one that is no service. */
  readonly service: ProviderService | null;
  /** Null for one that cannot be asked. */
  readonly authorization: AuthorizationProvider | null;
  /** Null for one that is told nothing of what proxies carry. */
  readonly telemetry: TelemetryProvider | null;
}

export function extensionProviders(list: readonly Fields[]): ExtensionProvider[] {
  return list.map((fields) => {
    const name = fields.text('name') ?? '';
    const grpc = fields.object('envoyExtAuthzGrpc');
    const http = fields.object('envoyExtAuthzHttp');
    const authorization = grpc
      ? authorizationOf(grpc, 'grpc')
      : http && authorizationOf(http, 'http');
    if (authorization !== null) {
      return { name, service: authorization.service, authorization, telemetry: null };
    }
    const telemetry = telemetryProvider(fields);
    return { name, service: telemetry && serviceOfProvider(telemetry), authorization, telemetry };
  });
}

const NO_TIMEOUT_MS = 600_000;

function authorizationOf(
  fields: Fields,
  kind: AuthorizationProvider['kind'],
): AuthorizationProvider {
  const body = fields.object('includeRequestBodyInCheck');
  const timeout = fields.text('timeout');
  const added = fields.object('includeAdditionalHeadersInCheck')?.all() ?? {};
  const older = fields.texts('includeHeadersInCheck');
  const heard = fields.texts('includeRequestHeadersInCheck');
  return {
    kind,
    service: providerService(fields),
    timeoutMs: timeout === null ? NO_TIMEOUT_MS : durationMs(timeout),
    failure: fields.flag('failOpen') ? 'passes' : 'answered',
    failureStatus: fields.number('statusOnError'),
    body: body && {
      maxBytes: body.number('maxRequestBytes') ?? 0,
      ofLonger: body.flag('allowPartialMessage') ? 'the-beginning' : 'refused',
    },
    pathPrefix: fields.text('pathPrefix') ?? '',
    heardHeaders: heard.length > 0 ? heard : older,
    addedHeaders: Object.entries(added)
      .map(([name, value]) => [name, String(value)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    upstreamOnAllow: fields.texts('headersToUpstreamOnAllow'),
    downstreamOnAllow: fields.texts('headersToDownstreamOnAllow'),
    downstreamOnDeny: fields.texts('headersToDownstreamOnDeny'),
  };
}
