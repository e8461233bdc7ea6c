import { isConnectionField } from '@aquifer/wire';
import type { HeaderValueOption } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { HeaderValueOption_HeaderAppendAction as AppendAction } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { ConfigProblem } from './problem.ts';
import { headerText } from './wire-text.ts';

/** Changes to a list of headers, in the order: remove, then set or add. */
export interface HeaderMutation {
  readonly remove: readonly string[];
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly append: readonly (readonly [name: string, value: string])[];
}

type Changes = Readonly<
  Partial<
    Record<'requestHeadersToAdd' | 'responseHeadersToAdd', readonly HeaderValueOption[]> &
      Record<'requestHeadersToRemove' | 'responseHeadersToRemove', readonly string[]>
  >
>;

/** What a route, or one of its backends, changes about requests; null when there is nothing to change. */
export function requestMutation(changes: Changes, path: string): HeaderMutation | null {
  const { requestHeadersToRemove: remove = [], requestHeadersToAdd: add = [] } = changes;
  return compileMutation(remove, add, `${path}.request_headers`);
}

/** The same for answers. */
export function responseMutation(changes: Changes, path: string): HeaderMutation | null {
  const { responseHeadersToRemove: remove = [], responseHeadersToAdd: add = [] } = changes;
  return compileMutation(remove, add, `${path}.response_headers`);
}

function compileMutation(
  remove: readonly string[],
  options: readonly HeaderValueOption[],
  path: string,
): HeaderMutation | null {
  if (remove.length === 0 && options.length === 0) return null;
  const set: [string, string][] = [];
  const append: [string, string][] = [];
  for (const [i, option] of options.entries()) {
    const field = `${path}_to_add[${i}].header`;
    const name = headerName(option.header?.key ?? '', `${field}.key`);
    if (isConnectionField(name)) {
      throw new ConfigProblem(`${field}.key`, `${name} is not for a route to set`);
    }
    const format = unescapePercent(option.header?.value, `${field}.value`);
    const value = headerText(format, `${field}.value`);
    (appends(option, `${path}_to_add[${i}]`) ? append : set).push([name, value]);
  }
  return {
    remove: remove.map((name, i) => headerName(name, `${path}_to_remove[${i}]`)),
    set,
    append,
  };
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** In lower case. Host and pseudo headers are no header's to change, as in Envoy. */
function headerName(name: string, path: string): string {
  const lower = name.toLowerCase();
  if (!NAME.test(name) || lower === 'host') {
    throw new ConfigProblem(path, `${JSON.stringify(name)} is not for a route to change`);
  }
  return lower;
}

/** In Envoy's format strings, which values are, a percent sign is written twice; one alone begins a command. */
function unescapePercent(format = '', path: string): string {
  if (format.replaceAll('%%', '').includes('%'))
    throw new ConfigProblem(path, 'commands (%…%) are not replaced; a percent sign is written %%');
  return format.replaceAll('%%', '%');
}

function appends({ appendAction: action }: HeaderValueOption, path: string): boolean {
  if (action === AppendAction.APPEND_IF_EXISTS_OR_ADD) return true;
  if (action === AppendAction.OVERWRITE_IF_EXISTS_OR_ADD) return false;
  throw new ConfigProblem(
    `${path}.append_action`,
    'only APPEND_IF_EXISTS_OR_ADD and OVERWRITE_IF_EXISTS_OR_ADD are done',
  );
}
