import type { DeltaDiscoveryRequest } from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import type { Server, ServerCredentials } from '@grpc/grpc-js';
import { ScriptedDiscovery, type SentResource } from '../../fixtures/scripted-discovery.ts';

/** A proxy that has not said by then what it thinks of a push never will. */
const VERDICT_WITHIN_MS = 10_000;

/** Resources of a type. */
export interface TypedResources {
  readonly typeUrl: string;
  readonly resources: readonly SentResource[];
}

/** Delta ADS for one proxy. It is at a socket in the file system, which proxies reach from any network namespace. */
export class ProxyDiscovery {
  readonly #discovery: ScriptedDiscovery;
  #verdict = Promise.withResolvers<void>();

  /** `all` is what the proxy is told when it asks; on `server` may be other services. */
  static async start(
    at: { readonly path: string; readonly credentials: ServerCredentials },
    all: readonly TypedResources[],
    server?: Server,
  ): Promise<ProxyDiscovery> {
    const { path, credentials } = at;
    const bound = { address: `unix:${path}`, credentials };
    return new ProxyDiscovery(await ScriptedDiscovery.start(bound, server), all);
  }

  private constructor(discovery: ScriptedDiscovery, all: readonly TypedResources[]) {
    this.#discovery = discovery;
    discovery.onRequest = (request) => {
      if (request.responseNonce === '') this.#answer(request, all);
      else if (request.errorDetail === undefined) this.#verdict.resolve();
      else this.#verdict.reject(new Error(request.errorDetail.message));
    };
  }

  /** Resolves when the proxy has taken it; rejects with what it says against it, or if it says nothing. */
  async push({ typeUrl, resources }: TypedResources): Promise<void> {
    const verdict = Promise.withResolvers<void>();
    this.#verdict = verdict;
    const timer = setTimeout(() => {
      verdict.reject(new Error(`no word about a push of ${typeUrl} in ${VERDICT_WITHIN_MS} ms`));
    }, VERDICT_WITHIN_MS);
    this.#discovery.send(typeUrl, resources);
    await verdict.promise.finally(() => clearTimeout(timer));
  }

  stop(): void {
    this.#discovery.stop();
  }

  #answer(
    { typeUrl, resourceNamesSubscribe }: DeltaDiscoveryRequest,
    all: readonly TypedResources[],
  ): void {
    const wanted = new Set(resourceNamesSubscribe);
    const isWanted = ({ name }: SentResource) =>
      wanted.size === 0 || wanted.has('*') || wanted.has(name);
    const { resources = [] } = all.find((typed) => typed.typeUrl === typeUrl) ?? {};
    this.#discovery.send(typeUrl, resources.filter(isWanted));
  }
}
