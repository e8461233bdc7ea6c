/**
 * How connections to a service are made and spared: of DestinationRules (spec l7 2; recordings l7/13–17). What holds for
 * a subset at a port is in one value, in the words of DestinationRules.
 */
import type { DestinationRulePolicy } from '@aquifer/model/resources';
import type { ObjectRef } from '../../ingest/kinds.ts';

/** TLS towards endpoints. */
export type ClientTls = NonNullable<DestinationRulePolicy['tls']> & {
  /** PEM of the authorities that are believed, where a policy brings them. */
  readonly roots?: string;
};

/** Everything that holds; what it does not say is as the mesh does without being asked. */
export type TrafficPolicy = Pick<
  DestinationRulePolicy,
  | 'loadBalancer'
  | 'connectionPool'
  | 'outlierDetection'
  | 'tls'
  | 'tunnel'
  | 'proxyProtocol'
  | 'retryBudget'
>;

/** A part of the endpoints of a service. */
export interface Subset {
  readonly name: string;
  /** All of them must be there. */
  readonly labels: Readonly<Record<string, string>>;
  readonly policy: DestinationRulePolicy | null;
}

/** What DestinationRules say of one service. */
export interface DestinationPolicy {
  /** Those that it is made of, the oldest first, whose name it has; at least one. */
  readonly sources: readonly [ObjectRef, ...ObjectRef[]];
  readonly policy: DestinationRulePolicy | null;
  /** By name. */
  readonly subsets: ReadonlyMap<string, Subset>;
}

/** What is said of one subset and of all endpoints: the others, of which there may be thousands, make no difference to it. */
export function withSubset(traffic: DestinationPolicy, subset: string): DestinationPolicy {
  const own = traffic.subsets.get(subset);
  return { ...traffic, subsets: new Map(own === undefined ? [] : [[subset, own]]) };
}

/** What holds for the port, of one subset or of all endpoints; null if nothing is said. */
export function trafficPolicyAt(
  { policy, subsets }: DestinationPolicy,
  port: number,
  subset = '',
): TrafficPolicy | null {
  const whole = atPort(policy, port).policy;
  const own = subsets.get(subset)?.policy ?? null;
  if (own === null) return whole;
  const { policy: ofSubset, isOfPort } = atPort(own, port);
  if (whole === null || ofSubset === null) return ofSubset;
  return overlaid(whole, ofSubset, isOfPort);
}

interface PolicyAtPort {
  readonly policy: TrafficPolicy | null;
  /** Whether it is one of the port alone. */
  readonly isOfPort: boolean;
}

/** What is said of a port takes nothing over from what is said of all. */
function atPort(policy: DestinationRulePolicy | null, number: number): PolicyAtPort {
  if (policy === null) return { policy: null, isOfPort: false };
  const { portLevelSettings = [], ...whole } = policy;
  const found = portLevelSettings.find(({ port }) => port?.number === number);
  if (found === undefined) return { policy: whole, isOfPort: false };
  const { port: _, ...ofPort } = found;
  return { policy: ofPort, isOfPort: true };
}

/** Block by block; of a port of the subset the blocks that a port can have are all its own. */
function overlaid(whole: TrafficPolicy, own: TrafficPolicy, isOfPort: boolean): TrafficPolicy {
  const { loadBalancer: _a, connectionPool: _b, outlierDetection: _c, tls: _d, ...kept } = whole;
  return { ...(isOfPort ? kept : whole), ...own };
}

/** The mode of TLS that endpoints are chosen for. As recorded, settings of a port that say nothing of it leave what holds for all. */
export function endpointTlsMode(
  { policy, subsets }: DestinationPolicy,
  port: number,
  subset: string,
): NonNullable<TrafficPolicy['tls']>['mode'] | null {
  const own = subsets.get(subset)?.policy ?? null;
  const tlsOf = (said: DestinationRulePolicy | null) =>
    said?.portLevelSettings?.find((setting) => setting.port?.number === port)?.tls ?? said?.tls;
  return tlsOf(own)?.mode ?? tlsOf(policy)?.mode ?? null;
}

export type ConsistentHash = NonNullable<
  NonNullable<TrafficPolicy['loadBalancer']>['consistentHash']
>;

/**
 * By what requests to a destination are hashed; null if they are not. As upstream, that of a subset or of the port counts
 * before that of the whole, which also holds for a subset that is balanced in another way; settings of a port count only
 * for a destination that names it.
 */
export function consistentHashOf(
  { policy, subsets }: DestinationPolicy,
  subset: string,
  port: number | null,
): ConsistentHash | null {
  const own = subset === '' ? null : (subsets.get(subset)?.policy ?? null);
  return hashAtPort(own, port) ?? hashOf(own) ?? hashAtPort(policy, port) ?? hashOf(policy) ?? null;
}

function hashOf(policy: Pick<TrafficPolicy, 'loadBalancer'> | null) {
  return policy?.loadBalancer?.consistentHash;
}

function hashAtPort(policy: DestinationRulePolicy | null, number: number | null) {
  if (number === null) return undefined;
  const found = policy?.portLevelSettings?.find(({ port }) => port?.number === number);
  return hashOf(found ?? null);
}
