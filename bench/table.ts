import { median, quantile } from "./statistics.ts";
import type { Measured } from "./work.ts";

const ours = "berth";

/** Three digits that matter: 0.123, 1.23, 12.3, 123, 1234. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  return value.toFixed(decimals);
}

function ourCell(samples: number[] | undefined, unit: string): string {
  if (!samples?.length) return "–";
  const middle = `${digits(median(samples))} ${unit}`;
  return samples.length < 5 ? middle : `${middle} (90 %: ${digits(quantile(samples, 0.9))})`;
}

function peerCell(row: Measured, name: string): string {
  const samples = row.samples.get(name);
  if (!samples?.length) return "–";
  const value = median(samples);
  const base = row.samples.get(ours);
  const text = `${digits(value)} ${row.unit}`;
  if (!base?.length || row.unit === "×") return text;
  const times = row.better === "less" ? value / median(base) : median(base) / value;
  return `${text} (${digits(times)}×)`;
}

/** Lines of a Markdown table, its columns padded so that it reads well as plain text too. */
export function table(rows: Measured[]): string[] {
  const peers = [...new Set(rows.flatMap((row) => [...row.samples.keys()]))].filter((name) => name !== ours);
  const cells = [
    ["work", "budget", ours, ...peers],
    ...rows.map((row) => [
      row.title,
      row.budget === undefined ? "" : `${row.budget} ${row.unit}`,
      ourCell(row.samples.get(ours), row.unit),
      ...peers.map((name) => peerCell(row, name)),
    ]),
  ];
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((line) => line[column]?.length ?? 0)),
  );
  const lines = cells.map(
    (line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`,
  );
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [lines[0] ?? "", rule, ...lines.slice(1)];
}
