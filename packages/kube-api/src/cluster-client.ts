/**
 * The seams between the API server and the cluster around it. Controllers and nodes reach the API through `ClusterClient`;
 * the API server reaches running containers through `PodAccess`.
 */
import type { Duplex, Readable, Writable } from 'node:stream';

/** Any object of the API. Controllers narrow it with the types of `@aquifer/model/resources`. */
export interface ApiObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    generation?: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: {
      apiVersion: string;
      kind: string;
      name: string;
      uid: string;
      controller?: boolean;
      blockOwnerDeletion?: boolean;
    }[];
    creationTimestamp?: string;
    deletionTimestamp?: string;
    deletionGracePeriodSeconds?: number;
    finalizers?: string[];
    generateName?: string;
  };
  // biome-ignore lint/suspicious/noExplicitAny: the body depends on the kind; callers narrow it.
  [field: string]: any; // oxlint-disable-line typescript/no-explicit-any -- as above
}

/** Which collection: `{ group: 'apps', version: 'v1', plural: 'deployments' }`; the core group is the empty string. */
export interface ResourceKey {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

export interface ListFilter {
  readonly namespace?: string;
  /** As on the wire: `app=echo,version in (v1,v2)`. */
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export type WatchEvent =
  | { readonly type: 'added' | 'modified' | 'deleted'; readonly object: ApiObject }
  /** Sent once, after every object that existed when the watch began was delivered as `added`. */
  | { readonly type: 'synced' };

/** The API as controllers see it: the same storage, validation and admission as over HTTP, without the HTTP. */
export interface ClusterClient {
  get(key: ResourceKey, name: string, namespace?: string): Promise<ApiObject | null>;
  list(key: ResourceKey, filter?: ListFilter): Promise<ApiObject[]>;
  /** Delivers what exists, then `synced`, then every change, in order, until disposed. */
  watch(key: ResourceKey, onEvent: (event: WatchEvent) => void, filter?: ListFilter): Disposable;
  /** Throws `ApiStatusError` with code 409 and reason `AlreadyExists` if the name is taken. */
  create(key: ResourceKey, object: ApiObject): Promise<ApiObject>;
  /** Throws 409 `Conflict` if `metadata.resourceVersion` is set and stale, 404 if it is gone. */
  update(key: ResourceKey, object: ApiObject): Promise<ApiObject>;
  updateStatus(key: ResourceKey, object: ApiObject): Promise<ApiObject>;
  /** JSON merge patch (RFC 7386); `subresource: 'status'` patches the status. */
  mergePatch(
    key: ResourceKey,
    target: { readonly name: string; readonly namespace?: string; readonly subresource?: 'status' },
    patch: Record<string, unknown>,
  ): Promise<ApiObject>;
  /** `gracePeriodSeconds: 0` removes a pod at once; otherwise its deletionTimestamp is set and the node ends it. */
  delete(
    key: ResourceKey,
    target: { readonly name: string; readonly namespace?: string },
    options?: { readonly gracePeriodSeconds?: number },
  ): Promise<void>;
}

export interface ContainerRef {
  readonly namespace: string;
  readonly pod: string;
  /** Default: the pod's first container. */
  readonly container?: string;
}

export interface LogOptions {
  readonly follow?: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  readonly timestamps?: boolean;
  readonly previous?: boolean;
  readonly limitBytes?: number;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** A command running inside a container. With a terminal, stderr is null and `resize` takes effect. */
export interface ExecSession {
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable | null;
  resize(columns: number, rows: number): void;
  kill(): void;
  /** Resolves when the command ended; a signal counts as 128 + its number. */
  readonly exitCode: Promise<number>;
}

/** What the kubelet of a pod's node offers the API server for `logs`, `exec`, `attach` and `port-forward`. */
export interface PodAccess {
  /** Throws `ApiStatusError` when the container does not exist or has not started. */
  logs(ref: ContainerRef, options: LogOptions): Promise<Readable>;
  exec(ref: ContainerRef, request: ExecRequest): Promise<ExecSession>;
  /** The streams of the container's own process, from now on. Throws as `exec` does. */
  attach(ref: ContainerRef, request: { readonly stdin: boolean }): Promise<ExecSession>;
  /** A byte stream to 127.0.0.1:port inside the pod's network namespace. */
  portForward(ref: ContainerRef, port: number): Promise<Duplex>;
}
