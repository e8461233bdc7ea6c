/** Columns as wide as their widest cell, `gap` spaces between them, like the tables of kubectl and istioctl. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  gap = 3,
): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === cells.length - 1 ? cell : cell.padEnd(widths[column]! + gap),
      )
      .join('');
  return `${[header, ...rows].map(line).join('\n')}\n`;
}
