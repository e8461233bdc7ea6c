import { UriTemplateMatchConfigSchema } from '@aquifer/wire/gen/envoy/extensions/path/match/uri_template/v3_pb';
import type { Any } from '@bufbuild/protobuf/wkt';
import { RE2JS } from 're2js';
import { unpack } from './any.ts';
import { compileExpression } from './expression.ts';
import type { TextMatch } from './string-match.ts';

/** `{*}` is one path segment, `{**}` any number of them; the whole path must match (spec l7 5.2). */
export function compileUriTemplate(config: Any | undefined, path: string): TextMatch {
  const { pathTemplate } = unpack(config, UriTemplateMatchConfigSchema, path);
  const pattern = pathTemplate
    .split(/(\*\*|\*)/)
    .map((part) => {
      if (part === '**') return '.*';
      return part === '*' ? '[^/]+' : RE2JS.quote(part);
    })
    .join('');
  const compiled = compileExpression(pattern, path);
  return (text) => compiled.matches(text);
}
