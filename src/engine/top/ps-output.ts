import { system } from "../../lib/errors.ts";

/** Rows of ps(1): as many cells as there are titles, all as text. */
export interface ProcessList {
  Titles: string[];
  Processes: string[][];
}

/**
 * The rows of ps's output that belong to `pids`, with the thread rows ("-" for a pid) below them.
 * Throws dockerd's texts when the output has no PID column.
 */
export function parsePs(output: string, pids: ReadonlySet<number>): ProcessList {
  const [heading = "", ...lines] = output.split("\n");
  const titles = fields(heading);
  const pidColumn = titles.indexOf("PID");
  if (pidColumn < 0) throw system("Couldn't find PID field in ps output");
  const rows: string[][] = [];
  let ours = false;
  for (const line of lines) {
    const cells = fields(line);
    const pid = cells[pidColumn];
    if (pid === undefined) continue;
    if (pid !== "-") {
      if (!/^\d+$/.test(pid)) {
        throw system(`Unexpected pid '${pid}': strconv.Atoi: parsing "${pid}": invalid syntax`);
      }
      ours = pids.has(Number(pid));
    }
    if (!ours) continue;
    // The last column, a command line, has blanks of its own.
    const last = titles.length - 1;
    rows.push([...cells.slice(0, last), cells.slice(last).join(" ")]);
  }
  return { Titles: titles, Processes: rows };
}

/** Only blanks of ASCII divide: a process may have others in its name. */
const fields = (line: string): string[] => line.split(/[ \t\n\v\f\r]+/).filter(Boolean);
