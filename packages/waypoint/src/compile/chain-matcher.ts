import { cidrContains } from '@aquifer/model';
import {
  ApplicationProtocolInputSchema,
  DestinationIPInputSchema,
  DestinationPortInputSchema,
} from '@aquifer/wire/gen/envoy/extensions/matching/common_inputs/network/v3_pb';
import {
  IPMatcherSchema,
  type Matcher,
  type Matcher_OnMatch,
} from '@aquifer/wire/gen/xds/type/matcher/v3_pb';
import type { DescMessage } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import { isType, unpack } from './any.ts';
import type { Chain, ChainChoice } from './chain.ts';
import { ConfigProblem } from './problem.ts';

/** As Envoy's HTTP inspector names them, in a quoted list. Both lead to the same filter chain. */
const HTTP = "'http/1.1'";
const PROTOCOLS: ReadonlySet<string> = new Set([HTTP, "'h2c'"]);

export type Choose = (ip: string, port: number) => ChainChoice | null;

/** The tree that the control plane builds: destination address, then port, then application protocol. */
export function compileMatcher(
  matcher: Matcher,
  chains: ReadonlyMap<string, Chain>,
  path: string,
): Choose {
  const otherwise = compileOnMatch(matcher.onNoMatch, chains, `${path}.on_no_match`);
  if (matcher.matcherType.case !== 'matcherTree')
    throw new ConfigProblem(path, 'expected matcher_tree');
  const { treeType, input } = matcher.matcherType.value;
  const asks = (schema: DescMessage): boolean => isType(input?.typedConfig, schema);
  if (treeType.case === 'customMatch') {
    if (!asks(DestinationIPInputSchema)) throw unknownInput(path);
    const { rangeMatchers } = unpack(treeType.value.typedConfig, IPMatcherSchema, path);
    const ranges = rangeMatchers.flatMap(({ ranges: cidrs, onMatch }, i) => {
      const then = compileOnMatch(onMatch, chains, `${path}.range_matchers[${i}]`);
      return cidrs.map(({ addressPrefix: address, prefixLen }) => ({
        cidr: { address, prefixLength: prefixLen ?? 0 },
        then,
      }));
    });
    const exact = new Map(
      ranges
        .filter(({ cidr }) => cidr.prefixLength === (cidr.address.includes(':') ? 128 : 32))
        .map(({ cidr, then }) => [cidr.address, then]),
    );
    return (ip, port) => {
      const then = exact.get(ip) ?? ranges.find(({ cidr }) => cidrContains(cidr, ip))?.then;
      return then?.(ip, port) ?? otherwise(ip, port);
    };
  }
  if (treeType.case !== 'exactMatchMap') throw new ConfigProblem(path, 'expected exact_match_map');
  const entries = Object.entries(treeType.value.map).map(
    ([key, onMatch]) => [key, compileOnMatch(onMatch, chains, `${path}[${key}]`)] as const,
  );
  if (asks(ApplicationProtocolInputSchema)) {
    for (const [key] of entries) {
      if (!PROTOCOLS.has(key))
        throw new ConfigProblem(`${path}[${key}]`, 'is no protocol that is looked for');
    }
    const http = entries.find(([key]) => key === HTTP)?.[1] ?? otherwise;
    return (ip, port) => ({
      http: http(ip, port)?.http ?? null,
      tcp: otherwise(ip, port)?.tcp ?? null,
    });
  }
  if (!asks(DestinationPortInputSchema)) throw unknownInput(path);
  const byPort = new Map(entries);
  return (ip, port) => (byPort.get(String(port)) ?? otherwise)(ip, port);
}

function compileOnMatch(
  onMatch: Matcher_OnMatch | undefined,
  chains: ReadonlyMap<string, Chain>,
  path: string,
): Choose {
  switch (onMatch?.onMatch.case) {
    case 'matcher':
      return compileMatcher(onMatch.onMatch.value, chains, path);
    case 'action': {
      const { value: name } = unpack(onMatch.onMatch.value.typedConfig, StringValueSchema, path);
      const chain = chains.get(name);
      if (chain === undefined)
        throw new ConfigProblem(path, `names filter chain ${name}, which does not exist`);
      const choice = { http: chain, tcp: chain };
      return () => choice;
    }
    default:
      return () => null;
  }
}

function unknownInput(path: string): ConfigProblem {
  return new ConfigProblem(`${path}.input`, 'is not what this kind of match is asked of');
}
