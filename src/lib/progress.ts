const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/** A size as Docker writes it: decimal units, four significant digits ("32.77kB"). */
export function humanSize(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${Number(size.toPrecision(4))}${units[unit]}`;
}

const barWidth = 50;

/** The bar that Docker's API sends with every step: "[====>    ]  32.77kB/4.234MB". */
export function progressBar(current: number, total: number): string {
  if (current <= 0 && total <= 0) return "";
  const done = humanSize(current).padStart(8);
  if (total <= 0) return done;
  const filled = Math.min(barWidth, Math.floor(Math.floor((current / total) * 100) / 2));
  const bar = `[${"=".repeat(filled)}>${" ".repeat(barWidth - filled)}] `;
  return current > total ? `${bar}${done}` : `${bar}${done}/${humanSize(total)}`;
}
