import type {
  FaultAbort,
  HTTPFault,
} from '@aquifer/wire/gen/envoy/extensions/filters/http/fault/v3_pb';
import { durationMs } from '../compile/any.ts';
import { ConfigProblem } from '../compile/problem.ts';
import { compileHeaderMatch, type InputMatch } from '../compile/string-match.ts';
import { type LocalReply, outcomeOfFault } from '../request/outcome.ts';
import type { FilteredRequest } from './filtered-request.ts';
import { fractionOf, isDrawn } from './fraction.ts';

/** Failures that are made on purpose (spec l7 1.11). Fractions are of requests, drawn for each by itself. */
export interface Fault {
  readonly matches: InputMatch;
  /** Only requests whose route leads to this cluster; empty for all. */
  readonly cluster: string;
  readonly delay: { readonly ms: number; readonly fraction: number } | null;
  readonly abort: { readonly reply: LocalReply; readonly fraction: number } | null;
}

/** Null where nothing is to fail. */
export function compileFault(fault: HTTPFault, path: string): Fault | null {
  if (fault.maxActiveFaults !== undefined) {
    throw new ConfigProblem(`${path}.max_active_faults`, 'is not supported');
  }
  const { delay, abort, headers, upstreamCluster } = fault;
  if (delay === undefined && abort === undefined) return null;
  const tests = headers.map((header, i) => compileHeaderMatch(header, `${path}.headers[${i}]`));
  return {
    matches: (input) => tests.every((test) => test(input)),
    cluster: upstreamCluster,
    delay:
      delay === undefined
        ? null
        : {
            ms: durationMs(delay.faultDelaySecifier.value) ?? 0,
            fraction: fractionOf(delay.percentage, 0),
          },
    abort:
      abort === undefined
        ? null
        : { reply: replyOf(abort, `${path}.abort`), fraction: fractionOf(abort.percentage, 0) },
  };
}

function replyOf({ errorType }: FaultAbort, path: string): LocalReply {
  if (errorType.case === 'httpStatus') return outcomeOfFault(errorType.value, null);
  if (errorType.case === 'grpcStatus') return outcomeOfFault(200, errorType.value);
  throw new ConfigProblem(path, 'has no status');
}

/**
 * Delays, then aborts: true if it does either. A request that has waited goes on by `resume`, unless its client is gone.
 */
export function applyFault(fault: Fault, request: FilteredRequest, resume: () => void): boolean {
  if (!concerns(fault, request)) return false;
  if (fault.delay === null || !isDrawn(fault.delay.fraction)) return abort(fault, request);
  request.addFlag('DI');
  request.waitFor(fault.delay.ms, () => {
    if (!abort(fault, request)) resume();
  });
  return true;
}

function concerns(fault: Fault, request: FilteredRequest): boolean {
  return (fault.cluster === '' || fault.cluster === request.clusterName) && fault.matches(request);
}

function abort({ abort: fault }: Fault, request: FilteredRequest): boolean {
  if (fault === null || !isDrawn(fault.fraction)) return false;
  request.reply(fault.reply);
  return true;
}
