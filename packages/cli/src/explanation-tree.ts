import type { ExplainedLine, ExplainedObject, Explanation, Reason } from '@aquifer/wire';

/** As a tree of lines; below each line the objects that it was made from, and which of their fields. */
export function explanationTree({ object, lines }: Explanation): string {
  return `${[objectText(object), ...branches(lines, '')].join('\n')}\n`;
}

function branches(lines: readonly ExplainedLine[], indent: string): string[] {
  return lines.flatMap((line, index) => {
    const isLast = index === lines.length - 1;
    const inner = `${indent}${isLast ? '   ' : '│  '}`;
    const bar = line.lines.length > 0 ? '│  ' : '   ';
    return [
      `${indent}${isLast ? '└─ ' : '├─ '}${titleOf(line)}`,
      ...line.because.map((reason) => `${inner}${bar}${reasonText(reason)}`),
      ...branches(line.lines, inner),
    ];
  });
}

function titleOf({ what, name, detail }: ExplainedLine): string {
  return detail === '' ? `${what} ${name}` : `${what} ${name}  (${detail})`;
}

function reasonText({ object, fields }: Reason): string {
  const read = fields.length === 0 ? '' : `: ${fields.join(', ')}`;
  return `← ${objectText(object)}${read}`;
}

function objectText({ kind, namespace, name }: ExplainedObject): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
