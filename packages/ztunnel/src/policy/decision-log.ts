import {
  type CompiledPolicies,
  formatIdentity,
  judgedConnection,
  type PeerConnection,
} from '@aquifer/model';
import { bare, type Logger } from '@aquifer/runtime';
import { formatSocketAddress } from '@aquifer/wire';

/** What policies say about inbound connections, dry-run policies included; nothing is worked out unless it is logged. */
export class DecisionLog {
  readonly #log: Logger;
  readonly #level: 'debug' | 'info';

  constructor(log: Logger, level: 'debug' | 'info') {
    this.#log = log;
    this.#level = level;
  }

  /** One line for what decided, and one for each dry-run policy that matches. */
  record(peer: PeerConnection, policies: CompiledPolicies | null): void {
    if (policies === null || !this.#log.isEnabled(this.#level)) return;
    const { sourceIdentity, sourceIp, destinationIp, destinationPort } = peer;
    const destination = formatSocketAddress({ ip: destinationIp, port: destinationPort });
    for (const { text, policy } of policies.explain(judgedConnection(peer))) {
      this.#log.log(this.#level, text, {
        policy,
        'src.addr': bare(sourceIp),
        'src.identity': sourceIdentity === null ? null : formatIdentity(sourceIdentity),
        'dst.addr': bare(destination),
      });
    }
  }
}
