/** A captured pod as the data plane needs it. */
export interface CapturedPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  /** Its queries are answered by the proxy. */
  readonly captureDns: boolean;
  /** The proxy's own pod, to which tunnels lead and nothing else (spec ztunnel 4.5). Default false. */
  readonly isProxy?: boolean;
}
