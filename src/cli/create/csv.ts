/** The fields of one line of comma-separated values; a field may be in double quotes. Throws an Error. */
export function parseCsv(line: string): string[] {
  const fields: string[] = [];
  let rest = line;
  for (;;) {
    if (rest.startsWith('"')) {
      const quoted = /^"((?:[^"]|"")*)"(?=,|$)/.exec(rest);
      if (!quoted)
        throw new Error(
          `parse error on line 1, column ${line.length - rest.length + 1}: extraneous or missing " in quoted-field`,
        );
      fields.push((quoted[1] ?? "").replaceAll('""', '"'));
      rest = rest.slice(quoted[0].length);
    } else {
      const bare = /^[^,]*/.exec(rest)?.[0] ?? "";
      if (bare.includes('"'))
        throw new Error(
          `parse error on line 1, column ${line.length - rest.length + 1 + bare.indexOf('"')}: bare " in non-quoted-field`,
        );
      fields.push(bare);
      rest = rest.slice(bare.length);
    }
    if (rest === "") return fields;
    rest = rest.slice(1);
  }
}
