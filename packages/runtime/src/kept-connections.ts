import { isDeepStrictEqual } from 'node:util';
import { KubeConfig, type RequestContext } from '@kubernetes/client-node';

type Dispatcher = NonNullable<ReturnType<RequestContext['getDispatcher']>>;
type DispatcherOptions = ReturnType<KubeConfig['createDispatcherOptions']>;

/**
 * A kubeconfig whose requests share connections. client-node makes a pool for each request, and with it a TCP connection
 * and a TLS handshake. A new pool is made when what it is made of has changed, as when a certificate is replaced.
 */
export class KeptConnections extends KubeConfig {
  #latestOptions: DispatcherOptions | null = null;
  #kept: { readonly options: DispatcherOptions | null; readonly pool: Dispatcher } | null = null;

  override createDispatcherOptions(
    ...args: Parameters<KubeConfig['createDispatcherOptions']>
  ): DispatcherOptions {
    this.#latestOptions = super.createDispatcherOptions(...args);
    return this.#latestOptions;
  }

  override applySecurityAuthentication(context: RequestContext): Promise<void> {
    const setDispatcher = context.setDispatcher.bind(context);
    // Called in the same turn as the options are made: the latest are those of this pool.
    context.setDispatcher = (pool) => setDispatcher(this.#keptOr(pool));
    return super.applySecurityAuthentication(context);
  }

  #keptOr(pool: Dispatcher): Dispatcher {
    const options = this.#latestOptions;
    if (this.#kept !== null && isDeepStrictEqual(this.#kept.options, options))
      return this.#kept.pool;
    // Its connections end when nothing is under way on them any more.
    this.#kept?.pool.close().catch(() => undefined);
    this.#kept = { options, pool };
    return pool;
  }
}
