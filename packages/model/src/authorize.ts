import {
  CompiledPolicies,
  compilePolicy,
  judgedConnection,
  type PeerConnection,
  type Verdict,
} from './compiled-policy.ts';
import type { Authorization } from './workload.ts';

/**
 * Decides one connection against the policies that apply to its destination. Who judges more than one connection keeps
 * the `CompiledPolicies`.
 */
export function authorize(policies: readonly Authorization[], connection: PeerConnection): Verdict {
  return new CompiledPolicies(policies.map(compilePolicy)).judge(judgedConnection(connection));
}
