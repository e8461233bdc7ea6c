// hot path: every request where lines are chosen
import {
  type AccessLogFilter,
  type ComparisonFilter,
  ComparisonFilter_Op as Op,
} from '@aquifer/wire/gen/envoy/config/accesslog/v3_pb';
import { ExpressionFilterSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/filters/cel/v3_pb';
import type { AccessRecord } from './access-record.ts';
import { unpack } from './any.ts';
import { ConfigProblem } from './problem.ts';
import { compileRecordExpression } from './record-expression.ts';

type IsLogged = (record: AccessRecord) => boolean;

/** Which requests and connections have a line. */
export function compileLogFilter(
  { filterSpecifier: filter }: AccessLogFilter,
  path: string,
): IsLogged {
  switch (filter.case) {
    case 'statusCodeFilter':
      return compileStatus(filter.value.comparison, `${path}.status_code_filter.comparison`);
    case 'responseFlagFilter': {
      const flags = new Set(filter.value.flags);
      if (flags.size === 0) return (record) => record.flags !== '-';
      return (record) => record.flags.split(',').some((flag) => flags.has(flag));
    }
    case 'andFilter': {
      const filters = filter.value.filters.map((inner, i) =>
        compileLogFilter(inner, `${path}.and_filter.filters[${i}]`),
      );
      return (record) => filters.every((isLogged) => isLogged(record));
    }
    case 'extensionFilter': {
      const at = `${path}.extension_filter`;
      const { expression } = unpack(filter.value.configType.value, ExpressionFilterSchema, at);
      const read = compileRecordExpression(expression, `${at}.expression`);
      // As in Envoy, what has no value is not logged.
      return (record) => read(record) === true;
    }
    case undefined:
      throw new ConfigProblem(path, 'is of a kind that is not supported');
  }
}

function compileStatus(comparison: ComparisonFilter | undefined, path: string): IsLogged {
  const status = comparison?.value?.defaultValue ?? 0;
  switch (comparison?.op) {
    case Op.EQ:
      return (record) => record.status === status;
    case Op.GE:
      return (record) => record.status >= status;
    case Op.LE:
      return (record) => record.status <= status;
    default:
      throw new ConfigProblem(path, 'is required, with a known op');
  }
}
