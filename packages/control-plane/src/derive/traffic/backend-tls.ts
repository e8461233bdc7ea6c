/** TLS that a policy asks for towards a Service, in what DestinationRules say of it (spec l7 4.7). */
import type { DestinationRulePolicy } from '@aquifer/model/resources';
import type { ObjectRef } from '../../ingest/kinds.ts';
import type { ClientTls, DestinationPolicy } from './traffic-policy.ts';

/** What holds for one port, or, without a port, for all that none is for. */
interface AskedTls {
  readonly source: ObjectRef;
  readonly port: number | null;
  readonly tls: ClientTls;
}

/** It takes the place of whatever DestinationRules say of TLS, also of subsets; the rest of them stays. */
export function withBackendTls(
  said: DestinationPolicy | null,
  asked: readonly AskedTls[],
): DestinationPolicy | null {
  const [first, ...others] = asked;
  if (first === undefined) return said;
  const sources = asked.map(({ source }) => source);
  return {
    sources:
      said === null
        ? [first.source, ...others.map(({ source }) => source)]
        : [said.sources[0], ...said.sources.slice(1), ...sources],
    policy: overlaid(said?.policy ?? {}, asked),
    subsets: new Map(
      Array.from(said?.subsets ?? [], ([name, subset]) => {
        const policy = subset.policy === null ? null : overlaid(subset.policy, asked);
        return [name, { ...subset, policy }];
      }),
    ),
  };
}

/** What is said of a port takes nothing over from what is said of all: so every port that is spoken of says it all. */
function overlaid(
  policy: DestinationRulePolicy,
  asked: readonly AskedTls[],
): DestinationRulePolicy {
  const { portLevelSettings = [], tls: own, ...rest } = policy;
  const ofAll = asked.find(({ port }) => port === null)?.tls ?? own;
  const whole = { ...rest, ...(ofAll !== undefined && { tls: ofAll }) };
  const ports = new Set([
    ...portLevelSettings.flatMap(({ port }) => port?.number ?? []),
    ...asked.flatMap(({ port }) => port ?? []),
  ]);
  const settings = [...ports].map((number) => {
    const { tunnel: _tunnel, proxyProtocol: _protocol, retryBudget: _budget, ...common } = whole;
    const found = portLevelSettings.find(({ port }) => port?.number === number) ?? common;
    const ofPort =
      asked.find(({ port }) => port === number) ?? asked.find(({ port }) => port === null);
    return { ...found, port: { number }, ...(ofPort !== undefined && { tls: ofPort.tls }) };
  });
  return { ...whole, ...(settings.length > 0 && { portLevelSettings: settings }) };
}
