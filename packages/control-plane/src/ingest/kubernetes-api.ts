/** The Kubernetes API as the control plane uses it: plain JSON in and out, configured as client-go would be. */
import type { EnvSource } from '@aquifer/runtime';
import { KeptConnections } from '@aquifer/runtime/kept-connections';
import {
  HttpMethod,
  IsomorphicFetchHttpLibrary,
  type KubeConfig,
  RequestContext,
  Watch,
} from '@kubernetes/client-node';

/**
 * An answer other than 2xx; `reason` is that of the API's Status object, such as `NotFound` or `Conflict`, `objectName`
 * the object that it is about, or empty.
 */
export class KubernetesApiError extends Error {
  override readonly name = 'KubernetesApiError';
  readonly status: number;
  readonly reason: string;
  readonly objectName: string;

  constructor(status: number, reason: string, message: string, objectName = '') {
    super(message);
    this.status = status;
    this.reason = reason;
    this.objectName = objectName;
  }
}

type Query = Readonly<Record<string, string | number | boolean>>;

/** One event of a watch; an `ERROR` carries a Status object. */
export type WatchListener = (type: string, object: unknown) => void;

const REQUEST_TIMEOUT_MS = 30_000;
/** A watch ends before client-node takes its silence (30 s) for a lost connection: then the next one is on the same connection. */
const WATCH_SECONDS = 25;

export class KubernetesApi {
  readonly #config: KubeConfig;
  readonly #server: string;
  readonly #http = new IsomorphicFetchHttpLibrary();
  readonly #leftMs: () => number;

  private constructor(config: KubeConfig, leftMs: () => number = () => REQUEST_TIMEOUT_MS) {
    this.#config = config;
    this.#leftMs = leftMs;
    this.#server = config.getCurrentCluster()?.server ?? '';
  }

  /**
   * KUBECONFIG, else the pod's service account when there is a KUBERNETES_SERVICE_HOST, else ~/.kube/config. Throws if
   * none names a cluster.
   */
  static fromEnvironment(env: EnvSource): KubernetesApi {
    const config = new KeptConnections();
    if (!env.KUBECONFIG && env.KUBERNETES_SERVICE_HOST) config.loadFromCluster();
    else config.loadFromDefault();
    return KubernetesApi.fromConfig(config);
  }

  /** Throws if the text names no cluster. */
  static fromKubeconfig(text: string): KubernetesApi {
    const config = new KeptConnections();
    config.loadFromString(text);
    return KubernetesApi.fromConfig(config);
  }

  private static fromConfig(config: KubeConfig): KubernetesApi {
    if (!config.getCurrentCluster()) throw new Error('the kubeconfig names no current cluster');
    return new KubernetesApi(config);
  }

  /** The same API, asked only while there is time left, and never for longer. */
  within(leftMs: () => number): KubernetesApi {
    return new KubernetesApi(this.#config, leftMs);
  }

  /** Null if it does not exist. */
  async get<T>(path: string): Promise<T | null> {
    try {
      return await this.#request<T>(HttpMethod.GET, path);
    } catch (error) {
      if (error instanceof KubernetesApiError && error.status === 404) return null;
      throw error;
    }
  }

  list<T>(path: string, query: Query = {}): Promise<T> {
    return this.#request<T>(HttpMethod.GET, withQuery(path, query));
  }

  /** `options` is a DeleteOptions: preconditions that do not hold make it fail. */
  delete<T>(path: string, options?: object): Promise<T> {
    const content = options && { type: 'application/json', body: options };
    return this.#request<T>(HttpMethod.DELETE, path, content);
  }

  create<T>(path: string, body: object): Promise<T> {
    return this.#request<T>(HttpMethod.POST, path, { type: 'application/json', body });
  }

  /** Server-side apply; `force` takes fields over from other managers. */
  apply<T>(path: string, body: object, fieldManager: string, force = true): Promise<T> {
    return this.#request<T>(HttpMethod.PATCH, withQuery(path, { fieldManager, force }), {
      type: 'application/apply-patch+yaml',
      body,
    });
  }

  /** RFC 7396; a `metadata.resourceVersion` in the body makes it fail if the object has changed. */
  mergePatch<T>(path: string, body: object): Promise<T> {
    const type = 'application/merge-patch+json';
    return this.#request<T>(HttpMethod.PATCH, path, { type, body });
  }

  strategicPatch<T>(path: string, body: object): Promise<T> {
    const type = 'application/strategic-merge-patch+json';
    return this.#request<T>(HttpMethod.PATCH, path, { type, body });
  }

  /**
   * Ends when the server ends it, unless told otherwise after `WATCH_SECONDS`, after 30 s of silence, or on abort; throws
   * a KubernetesApiError if it is refused.
   */
  async watch(
    path: string,
    query: Query,
    listener: WatchListener,
    signal: AbortSignal,
  ): Promise<void> {
    const watch = new Watch(this.#config);
    let stop = (): void => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const done = (error: unknown): void => {
          if (signal.aborted || isOrdinaryEnd(error)) resolve();
          else reject(toApiError(error));
        };
        const limited = { timeoutSeconds: WATCH_SECONDS, ...query };
        watch.watch(path, limited, listener, done).then((controller) => {
          stop = () => controller.abort();
          signal.addEventListener('abort', stop);
          if (signal.aborted) stop();
        }, reject);
      });
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async #request<T>(
    method: HttpMethod,
    path: string,
    content?: { readonly type: string; readonly body: object },
  ): Promise<T> {
    const context = new RequestContext(`${this.#server}${path}`, method);
    context.setHeaderParam('accept', 'application/json');
    if (content !== undefined) {
      context.setHeaderParam('content-type', content.type);
      context.setBody(JSON.stringify(content.body));
    }
    await this.#config.applySecurityAuthentication(context);
    // Last of all: whoever was held up until here has no time left.
    const leftMs = Math.min(this.#leftMs(), REQUEST_TIMEOUT_MS);
    if (leftMs <= 0) throw new Error('there is no time left for this request');
    context.setSignal(AbortSignal.timeout(Math.ceil(leftMs)));
    const response = await this.#http.send(context).toPromise();
    const text = await response.body.text();
    if (response.httpStatusCode >= 300) throw statusError(response.httpStatusCode, text);
    return JSON.parse(text) as T;
  }
}

function withQuery(path: string, query: Query): string {
  const entries = Object.entries(query).map(([key, value]) => [key, String(value)]);
  return entries.length === 0 ? path : `${path}?${new URLSearchParams(entries)}`;
}

/** The API's Status object, as far as it is read. */
interface StatusBody {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly name?: string };
}

function statusError(status: number, text: string): KubernetesApiError {
  try {
    const { reason = '', message = text, details } = JSON.parse(text) as StatusBody;
    return new KubernetesApiError(status, reason, message, details?.name);
  } catch {
    return new KubernetesApiError(status, '', text.slice(0, 200));
  }
}

/** The server closing the connection, and the silence limit, are how watches end. */
function isOrdinaryEnd(error: unknown): boolean {
  if (error === null || error === undefined) return true;
  return ['TimeoutError', 'AbortError'].includes((error as Error).name);
}

function toApiError(error: unknown): Error {
  const { statusCode, message } = error as Error & { statusCode?: number };
  if (statusCode !== undefined) return new KubernetesApiError(statusCode, '', message);
  return error as Error;
}
