/** A command line, an option and its value to a line. */
export function renderProgram([program = "", ...args]: string[]): string[] {
  const lines: string[] = [];
  for (const word of args) {
    const isValue = !word.startsWith("-") && lines.length > 0 && !lines.at(-1)?.includes(" ");
    if (isValue) lines.push(`${lines.pop()} ${/\s/.test(word) ? JSON.stringify(word) : word}`);
    else lines.push(word);
  }
  return [`  ${program}`, ...lines.map((line) => `    ${line}`)];
}
