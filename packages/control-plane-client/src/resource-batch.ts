/** One resource as it arrived: its name and the bytes of its body. */
export interface ReceivedResource {
  readonly name: string;
  readonly body: Uint8Array;
  /** Further names that it was asked for by. Default none. */
  readonly aliases?: readonly string[];
}

/** A resource that could not be used, and why; the last good version of it stays in force. */
export interface RejectedResource {
  readonly name: string;
  readonly reason: string;
}

/** One response of the server: applied as a whole before anyone looks (spec ztunnel 5.3). */
export interface ResourceBatch {
  readonly resources: readonly ReceivedResource[];
  readonly removed: readonly string[];
}
