import type { HttpConnectionManager } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { HttpConnectionManager_PathWithEscapedSlashesAction as Action } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { ConfigProblem } from './problem.ts';

/** What is done to a path before policies and routes see it (spec l7 3.9). */
export interface PathRules {
  /** Dot segments, needless percent codes, backslashes. */
  readonly normalizes: boolean;
  readonly mergesSlashes: boolean;
  /** For `/` and `\` in percent code. */
  readonly escapedSlashes: 'keep' | 'reject' | 'redirect' | 'unescape';
}

const ESCAPED_SLASHES: Readonly<Record<Action, PathRules['escapedSlashes']>> = {
  [Action.IMPLEMENTATION_SPECIFIC_DEFAULT]: 'keep',
  [Action.KEEP_UNCHANGED]: 'keep',
  [Action.REJECT_REQUEST]: 'reject',
  [Action.UNESCAPE_AND_REDIRECT]: 'redirect',
  [Action.UNESCAPE_AND_FORWARD]: 'unescape',
};

export function compilePathRules(manager: HttpConnectionManager, path: string): PathRules {
  const escapedSlashes = ESCAPED_SLASHES[manager.pathWithEscapedSlashesAction];
  if (escapedSlashes === undefined) {
    throw new ConfigProblem(`${path}.path_with_escaped_slashes_action`, 'is unknown');
  }
  const { normalizePath = false, mergeSlashes } = manager;
  return { normalizes: normalizePath, mergesSlashes: mergeSlashes, escapedSlashes };
}
