import type { ClusterClient, PodAccess } from '../cluster-client.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
}

export interface ApiServerOptions {
  /** Holds the database, the cluster's CA and its signing keys; made if absent. */
  readonly dataDirectory: string;
  /** Where to serve HTTPS. The first address is the one that `url` and the kubeconfig name. */
  readonly listen: readonly ListenAddress[];
  /** Further names and addresses that the serving certificate covers, beside the `kubernetes` service and localhost. */
  readonly extraNames?: readonly string[];
  readonly podAccess: PodAccess;
}

export interface ServiceAccountTokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Default: the API server's own audience. */
  readonly audiences?: readonly string[];
  /** Seconds. Default 3600, at least 600. */
  readonly expirationSeconds?: number;
  /** The token dies with this pod and names it in its claims. */
  readonly pod?: { readonly name: string; readonly uid: string };
}

export interface ApiServer {
  readonly client: ClusterClient;
  /** `https://127.0.0.1:PORT`, of the first listen address. */
  readonly url: string;
  /** Where each of `listen` was bound, in the same order. */
  readonly addresses: readonly ListenAddress[];
  /** The cluster's CA certificate, PEM. */
  readonly caPem: string;
  /** A kubeconfig (YAML) with an administrator's client certificate, for the given server URL. Default: `url`. */
  kubeconfig(serverUrl?: string): string;
  /** Throws `ApiStatusError` 404 if the service account does not exist. */
  serviceAccountToken(request: ServiceAccountTokenRequest): Promise<string>;
  /** Also listens there (an address that appeared after the start, such as a bridge's). */
  listen(address: ListenAddress): Promise<ListenAddress>;
  stop(): Promise<void>;
}

export declare function startApiServer(options: ApiServerOptions): Promise<ApiServer>;
