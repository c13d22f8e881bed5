/** How wide columns are. */
export interface ColumnStyle {
  minWidth: number;
  padding: number;
}

/**
 * Aligns tab-separated text. A cell ends at a tab; the rest of a line is not padded. A column is a run
 * of adjacent lines that have the cell, so that a line without it separates two tables.
 */
export function alignColumns(text: string, { minWidth, padding }: ColumnStyle): string {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const widths: number[][] = lines.map(() => []);
  const layOut = (from: number, to: number, column: number): void => {
    for (let start = from; start < to; start++) {
      if (!hasCell(lines[start], column)) continue;
      let end = start;
      let width = minWidth;
      for (; end < to && hasCell(lines[end], column); end++)
        width = Math.max(width, [...(lines[end]?.[column] ?? "")].length + padding);
      for (let line = start; line < end; line++) widths[line]?.push(width);
      layOut(start, end, column + 1);
      start = end - 1;
    }
  };
  layOut(0, lines.length, 0);
  return lines
    .map((cells, line) =>
      cells
        .map((cell, column) => {
          const width = widths[line]?.[column];
          return width === undefined ? cell : cell + " ".repeat(width - [...cell].length);
        })
        .join(""),
    )
    .join("\n");
}

function hasCell(cells: readonly string[] | undefined, column: number): boolean {
  return cells !== undefined && column < cells.length - 1;
}
