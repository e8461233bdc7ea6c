import type { RouteAction_RequestMirrorPolicy as PbMirrorPolicy } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { ConfigProblem } from '../compile/problem.ts';
import { runtimeFractionOf } from './fraction.ts';

/** Where copies of a route's requests go. */
export interface MirrorPolicy {
  readonly cluster: string;
  /** Of requests. */
  readonly fraction: number;
  /** `-shadow` is added to the host, for the upstream to tell copies by. */
  readonly marksHost: boolean;
}

export function compileMirrors(
  policies: readonly PbMirrorPolicy[],
  path: string,
): readonly MirrorPolicy[] {
  return policies.map((policy, i) => {
    if (policy.cluster === '') throw new ConfigProblem(`${path}[${i}].cluster`, 'is required');
    return {
      cluster: policy.cluster,
      fraction: runtimeFractionOf(policy.runtimeFraction, 1),
      marksHost: !policy.disableShadowHostSuffixAppend,
    };
  });
}

/** `a:80` becomes `a-shadow:80`. */
export function shadowHost(authority: string): string {
  return authority.replace(/(?=:\d+$)|$/, '-shadow');
}
