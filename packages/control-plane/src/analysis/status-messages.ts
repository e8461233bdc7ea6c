/** Statuses as messages: whatever a condition would say against an object, so that there is one judgement, not two. */
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { objectAt } from '../ingest/kinds.ts';
import type { Wish } from '../reconcile/wish.ts';
import { type AnalysisMessage, analysisMessage, type MessageCode } from './message.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** A part of a status that has conditions of its own. */
interface Part {
  readonly name?: string;
  readonly conditions: readonly Condition[];
}

interface StatusBody {
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly parents?: readonly Part[];
    readonly listeners?: readonly Part[];
    readonly ancestors?: readonly Part[];
  };
}

/** Reasons that say that something is named which is not there. */
const NOT_FOUND: readonly string[] = [
  'NoMatchingParent',
  'BackendNotFound',
  'TargetNotFound',
  'HostNotFound',
];

/** Said elsewhere, with the field; or of what only time changes. */
const LEFT_OUT: readonly string[] = ['aquifer.io/WellFormed', 'Programmed'];

/** Of every status that is wished for; objects must be without conditions, or those that are right already are not seen. */
export function statusMessages(
  graph: Graph,
  wishes: Collection<Wish>,
): Collection<AnalysisMessage> {
  return graph.flatMap('messages of statuses', wishes, ({ write }) => {
    const object = write.path.endsWith('/status') ? objectAt(write.path) : null;
    if (object === null || !('body' in write)) return [];
    const { status = {} } = write.body as StatusBody;
    const { conditions = [], parents = [], listeners = [], ancestors = [] } = status;
    return [{ conditions }, ...parents, ...listeners, ...ancestors].flatMap((part: Part) =>
      part.conditions.flatMap((condition) => {
        const code = codeOf(condition);
        if (code === null) return [];
        const { type, reason, message } = condition;
        const said =
          code === 'IST0171' ? `${type} is ${condition.status}, ${reason}: ${message}` : message;
        const text = part.name === undefined ? said : `listener "${part.name}": ${said}`;
        return [[`${write.path} ${type} ${text}`, analysisMessage(code, object, text)] as const];
      }),
    );
  });
}

function codeOf({ type, status, reason, message }: Condition): MessageCode | null {
  if (LEFT_OUT.includes(type) || (type === 'Conflicted' && status === 'False')) return null;
  if (type === 'ZtunnelAccepted' && reason === 'UnsupportedValue') return 'AQF0103';
  if (type === 'ResolvedWaypoints' && message.includes('will not be respected')) return 'AQF0104';
  if (status !== 'False' && !isBadAsWell(type, reason)) return null;
  return NOT_FOUND.includes(reason) || message.endsWith(' not found') ? 'IST0101' : 'IST0171';
}

/** True says it of what should not be, and of a Gateway that goes on without some of its listeners. */
function isBadAsWell(type: string, reason: string): boolean {
  return type === 'Conflicted' || reason === 'ListenersNotValid';
}
