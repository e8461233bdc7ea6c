/** What a waypoint cannot do of a VirtualService: it is said, never just left out (DESIGN of conditions: field and reason). */
import type { VirtualService, VirtualServiceHttpRoute } from '@aquifer/model/resources';
import { namespaceOf } from '../object.ts';
import {
  type Delegation,
  delegations,
  type FindVirtualService,
  MAX_DELEGATED_MATCHES,
} from './delegates.ts';
import { type HttpMatch, matchProblem } from './virtual-service-match.ts';
import { routeProblem } from './virtual-service-rules.ts';

/** One sentence for each problem, which begins with the field. */
export function virtualServiceProblems(
  service: VirtualService,
  find: FindVirtualService,
): readonly string[] {
  const { http = [], tls = [], tcp = [] } = service.spec ?? {};
  const delegates = delegations(service, find);
  return [
    ...http.flatMap((route, index) =>
      httpProblems(route, `http[${index}]`, service, delegates[index]!),
    ),
    ...tls.flatMap(({ match }, index) =>
      match.flatMap((block, at) => {
        const problems = streamProblems(block, `tls[${index}].match[${at}]`);
        const isOne = block.sniHosts.length === 1;
        const more = 'sniHosts is followed only if it is one, the name of the service';
        return isOne ? problems : [...problems, `tls[${index}].match[${at}]: ${more}`];
      }),
    ),
    ...tcp.flatMap(({ match = [] }, index) =>
      match.flatMap((block, at) => streamProblems(block, `tcp[${index}].match[${at}]`)),
    ),
  ];
}

function httpProblems(
  route: VirtualServiceHttpRoute,
  path: string,
  service: VirtualService,
  delegate: Delegation,
): string[] {
  const blocks = (route.match ?? []).flatMap((block, index) =>
    blockProblem(block, `${path}.match[${index}]`),
  );
  if (route.delegate !== undefined) {
    if (typeof delegate === 'object') return blocks;
    if (delegate === 'too-many') {
      return [
        ...blocks,
        `${path}.delegate: delegation makes more than ${MAX_DELEGATED_MATCHES} matches; the route is left out. Delegate by fewer routes or matches`,
      ];
    }
    const { namespace = namespaceOf(service), name = '' } = route.delegate;
    return [
      ...blocks,
      `${path}.delegate: there is no VirtualService ${namespace}/${name} without hosts that is exported to ${namespaceOf(service)}`,
    ];
  }
  const problem = routeProblem(route);
  return problem === null ? blocks : [...blocks, `${path}: ${problem}; requests are answered 500`];
}

const NO_LABELS = 'sourceLabels cannot be told at a waypoint; the match is left out';

function blockProblem(block: HttpMatch, path: string): string[] {
  const labels = Object.keys(block.sourceLabels ?? {}).length > 0 ? [`${path}: ${NO_LABELS}`] : [];
  const problem = matchProblem(block);
  return problem === null ? labels : [...labels, `${path}: ${problem}; the match is left out`];
}

interface StreamMatch {
  readonly sourceLabels?: HttpMatch['sourceLabels'];
  readonly destinationSubnets?: readonly string[] | undefined;
}

function streamProblems(block: StreamMatch, path: string): string[] {
  const labels = Object.keys(block.sourceLabels ?? {}).length > 0 ? [`${path}: ${NO_LABELS}`] : [];
  const { destinationSubnets = [] } = block;
  return destinationSubnets.length === 0
    ? labels
    : [...labels, `${path}: destinationSubnets is not followed at a waypoint`];
}
