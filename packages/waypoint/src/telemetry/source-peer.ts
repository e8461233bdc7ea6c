/** The workload that sent a request, as far as it is known. */
export interface SourcePeer {
  /** SPIFFE URI; empty for plaintext. */
  readonly principal: string;
  readonly workload: string | null;
  readonly namespace: string | null;
  readonly canonicalName: string | null;
  readonly canonicalRevision: string | null;
  readonly cluster: string | null;
}
