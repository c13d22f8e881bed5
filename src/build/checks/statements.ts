import type { Statement } from "../dockerfile/statements.ts";
import { wordPlace } from "../dockerfile/statements.ts";
import { blankWords, jsonWords, quotedWords } from "../dockerfile/words.ts";
import type { Report } from "./rules.ts";

/** The checks of how instructions are written, each by itself. */
export function checkStatements(statements: readonly Statement[], escapeToken: string, report: Report): void {
  checkCases(statements, report);
  for (const statement of statements) {
    for (const line of statement.emptyLines)
      report("NoEmptyContinuation", { line, column: 1 }, "Empty continuation line");
    checkComment(statement, escapeToken, report);
    if (statement.keyword === "FROM") checkFrom(statement, report);
    if (statement.keyword === "ENV" || statement.keyword === "LABEL")
      checkPairs(statement, escapeToken, report);
    if (statement.keyword === "EXPOSE") checkExpose(statement, report);
    if (statement.keyword === "MAINTAINER") {
      const message = "Maintainer instruction is deprecated in favor of using label";
      report("MaintainerDeprecated", statement.location, message);
    }
  }
}

const written = ({ original }: Statement): string => original.split(/\s/, 1)[0] ?? "";

/** Most instructions are in capitals or in small letters; the others should be so too. */
function checkCases(statements: readonly Statement[], report: Report): void {
  const lower = statements.filter((one) => written(one) === one.keyword.toLowerCase()).length;
  const upper = statements.filter((one) => written(one) === one.keyword).length;
  const isLower = lower > upper;
  for (const statement of statements) {
    const word = written(statement);
    if (word === (isLower ? statement.keyword.toLowerCase() : statement.keyword)) continue;
    report(
      "ConsistentInstructionCasing",
      statement.location,
      `Command '${word}' should match the case of the command majority (${isLower ? "lowercase" : "uppercase"})`,
    );
  }
}

function checkFrom(statement: Statement, report: Report): void {
  const [, as, name] = blankWords(statement.rest);
  const keyword = written(statement);
  if (as === undefined) return;
  if (name !== undefined && name !== name.toLowerCase())
    report("StageNameCasing", wordPlace(statement, name), `Stage name '${name}' should be lowercase`);
  const fits =
    (keyword === keyword.toLowerCase() && as === as.toLowerCase()) ||
    (keyword === keyword.toUpperCase() && as === as.toUpperCase()) ||
    (keyword !== keyword.toLowerCase() && keyword !== keyword.toUpperCase());
  if (!fits)
    report("FromAsCasing", statement.location, `'${as}' and '${keyword}' keywords' casing do not match`);
}

function checkPairs(statement: Statement, escapeToken: string, report: Report): void {
  const { keyword, rest, location } = statement;
  if (quotedWords(rest, escapeToken)[0]?.includes("=") !== false) return;
  const message = `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`;
  report("LegacyKeyValueFormat", location, message);
}

function checkExpose(statement: Statement, report: Report): void {
  for (const word of jsonWords(statement.rest) ?? blankWords(statement.rest)) {
    const place = wordPlace(statement, word);
    const [ports = "", protocol = ""] = word.split("/");
    if (protocol !== protocol.toLowerCase())
      report(
        "ExposeProtoCasing",
        place,
        `Defined protocol '${word}' in EXPOSE instruction should be lowercase`,
      );
    if (ports.replace(/\$\{[^}]*\}/g, "").includes(":"))
      report(
        "ExposeInvalidFormat",
        place,
        `EXPOSE instruction should not define an IP address or host-port mapping, found '${word}'`,
      );
  }
}

/** A comment right above a stage or an argument describes it, beginning with its name. */
function checkComment(statement: Statement, escapeToken: string, report: Report): void {
  const { comment, keyword, rest, location } = statement;
  if (comment === undefined || comment === "") return;
  const names =
    keyword === "FROM"
      ? blankWords(rest).slice(2, 3)
      : keyword === "ARG"
        ? quotedWords(rest, escapeToken).map((word) => word.split("=", 1)[0] ?? "")
        : [];
  const [first] = names;
  if (first === undefined || names.includes(comment.split(/\s/, 1)[0] ?? "")) return;
  const shown = names.length > 1 ? "<arg_key>" : first;
  report(
    "InvalidDefinitionDescription",
    location,
    `Comment for ${keyword === "FROM" ? "stage" : "build argument"} should follow the format: \`# ${shown} <description>\``,
  );
}
