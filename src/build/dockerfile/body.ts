import { changeHealthcheck } from "../../image/healthcheck.ts";
import { BerthError } from "../../lib/errors.ts";
import { nearest } from "../../lib/nearest.ts";
import { readFlags } from "./flags.ts";
import type { Body, Command } from "./instruction.ts";
import type { Location } from "./location.ts";
import { DockerfileError, parseError } from "./location.ts";
import { type Statement, splitStatement, wordPlace } from "./statements.ts";
import { parseTransfer } from "./transfer.ts";
import { blankWords, jsonWords, quotedWords } from "./words.ts";

type Parser = (statement: Statement, escapeToken: string) => Body;

const parsers: Record<string, Parser> = {
  ADD: (statement, escapeToken) => ({ kind: "add", ...parseTransfer(statement, escapeToken) }),
  ARG: parseArg,
  CMD: (statement) => ({ kind: "cmd", command: parseCommand(statement) }),
  COPY: (statement, escapeToken) => ({ kind: "copy", ...parseTransfer(statement, escapeToken) }),
  ENTRYPOINT: (statement) => ({ kind: "entrypoint", command: parseCommand(statement) }),
  ENV: (statement, escapeToken) => ({ kind: "env", pairs: parsePairs(statement, escapeToken) }),
  EXPOSE: (statement) => ({ kind: "expose", ports: words(statement) }),
  HEALTHCHECK: parseHealthcheck,
  LABEL: (statement, escapeToken) => ({ kind: "label", pairs: parsePairs(statement, escapeToken) }),
  MAINTAINER: (statement) => ({ kind: "maintainer", value: one(statement) }),
  ONBUILD: parseOnbuild,
  RUN: parseRun,
  SHELL: parseShell,
  STOPSIGNAL: (statement) => ({ kind: "stopsignal", value: one(statement) }),
  USER: (statement) => ({ kind: "user", value: one(statement) }),
  VOLUME: parseVolume,
  WORKDIR: (statement) => ({ kind: "workdir", value: one(statement) }),
};

/** Parses an instruction other than FROM. Throws DockerfileError. */
export function parseBody(statement: Statement, escapeToken: string): Body {
  const { keyword, location } = statement;
  const parser = Object.hasOwn(parsers, keyword) ? parsers[keyword] : undefined;
  if (!parser) throw parseError(location, `unknown instruction: ${keyword}${suggestion(keyword)}`);
  try {
    return parser(statement, escapeToken);
  } catch (error) {
    if (!(error instanceof BerthError) || error instanceof DockerfileError) throw error;
    throw parseError(location, error.message);
  }
}

/** The instruction that one or two wrong letters lead away from. */
function suggestion(keyword: string): string {
  const near = nearest(keyword, [...Object.keys(parsers), "FROM"]);
  return near === undefined ? "" : ` (did you mean ${near}?)`;
}

function one(statement: Statement): string {
  readFlags(statement, {});
  if (statement.rest === "")
    throw parseError(statement.location, `${statement.keyword} requires exactly one argument`);
  return statement.rest;
}

function words(statement: Statement): string[] {
  readFlags(statement, {});
  const list = blankWords(statement.rest);
  if (list.length === 0)
    throw parseError(statement.location, `${statement.keyword} requires at least one argument`);
  return list;
}

function parseCommand(statement: Statement): Command {
  readFlags(statement, {});
  return toCommand(statement.rest);
}

function toCommand(text: string): Command {
  const list = jsonWords(text);
  return list ? { form: "exec", words: list } : { form: "shell", text };
}

function parseRun(statement: Statement): Body {
  const { rest, heredocs, location } = statement;
  const kinds = { device: "list", mount: "list", network: "text", security: "text" } as const;
  const flags = readFlags(statement, kinds);
  if (rest === "") throw parseError(location, "RUN requires at least one argument");
  const network = flags.text("network") ?? "default";
  const flagPlace = (name: string) => statement.flags.find((flag) => flag.name === name)?.location;
  if (network !== "default" && network !== "none" && network !== "host")
    throw parseError(location, `invalid network mode: "${network}"`, flagPlace("network"));
  const security = flags.text("security") ?? "sandbox";
  if (security !== "sandbox" && security !== "insecure")
    throw parseError(location, `security "${security}" is not valid`, flagPlace("security"));
  const command = toCommand(rest);
  const devices = flags.list("device").map((text) => parseDevice(text, location, flagPlace("device")));
  return { kind: "run", command, heredocs, mounts: flags.list("mount"), devices, network, security };
}

/** `vendor/class=name,required`. */
function parseDevice(
  text: string,
  location: Location,
  place: Location | undefined,
): { name: string; required: boolean } {
  const [first = "", ...rest] = text.split(",").map((word) => word.trim());
  const name = first.replace(/^name=/, "");
  const fail = (message: string): never => {
    throw parseError(location, message, place);
  };
  if (!/^[\w$][\w.$:/{}-]*(=[\w*$][\w.$:{}-]*)?$/.test(name))
    fail(`invalid device name: ${JSON.stringify(first)}`);
  let required = false;
  for (const word of rest) {
    const [, value = "true"] =
      /^required(?:=(true|false))?$/i.exec(word) ?? fail(`unexpected key '${word}' in '${text}'`);
    required = value.toLowerCase() === "true";
  }
  return { name, required };
}

function parseShell(statement: Statement): Body {
  readFlags(statement, {});
  const { location, rest } = statement;
  const list = jsonWords(rest);
  if (!list) throw parseError(location, "SHELL requires the arguments to be in JSON form");
  if (list.length === 0) throw parseError(location, "SHELL requires at least one argument");
  return { kind: "shell", words: list };
}

function parseVolume(statement: Statement): Body {
  readFlags(statement, {});
  const { location, rest } = statement;
  const paths = jsonWords(rest) ?? blankWords(rest);
  if (paths.length === 0) throw parseError(location, "VOLUME requires at least one argument");
  if (paths.some((path) => path.trim() === ""))
    throw parseError(location, "VOLUME specified can not be an empty string");
  return { kind: "volume", paths };
}

function parseHealthcheck(statement: Statement): Body {
  const text = statement.original.slice(statement.keyword.length).trim();
  if (text === "") throw parseError(statement.location, "HEALTHCHECK requires at least one argument");
  return { kind: "healthcheck", config: changeHealthcheck(text, jsonWords) };
}

function parseOnbuild(statement: Statement): Body {
  readFlags(statement, {});
  const { location, rest, heredocs } = statement;
  if (rest === "") throw parseError(location, "ONBUILD requires at least one argument");
  const trigger = (rest.split(/\s/, 1)[0] ?? "").toUpperCase();
  if (trigger === "ONBUILD")
    throw parseError(location, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger === "MAINTAINER" || trigger === "FROM")
    throw parseError(location, `${trigger} isn't allowed as an ONBUILD trigger`);
  // Checked now, though it is used only in builds upon the image.
  parseBody({ ...splitStatement(rest, location, "\\"), heredocs }, "\\");
  const documents = heredocs.map(({ name, content }) => `\n${content}${name}`).join("");
  return { kind: "onbuild", trigger: `${rest}${documents}` };
}

function parseArg(statement: Statement, escapeToken: string): Body {
  readFlags(statement, {});
  const { location, rest } = statement;
  const list = quotedWords(rest, escapeToken);
  if (list.length === 0) throw parseError(location, "ARG requires at least one argument");
  return {
    kind: "arg",
    args: list.map((word) => {
      const equals = word.indexOf("=");
      if (equals === 0) throw parseError(location, "ARG names can not be blank", wordPlace(statement, word));
      return equals < 0
        ? { name: word, value: undefined }
        : { name: word.slice(0, equals), value: word.slice(equals + 1) };
    }),
  };
}

/** `a=b c="d e"`, or in the old form a name, a blank and the rest of the line. */
function parsePairs(statement: Statement, escapeToken: string): [string, string][] {
  readFlags(statement, {});
  const { keyword, location, rest } = statement;
  const list = quotedWords(rest, escapeToken);
  const [first] = list;
  if (first === undefined) throw parseError(location, `${keyword} requires at least one argument`);
  if (!first.includes("=")) {
    const [, name = "", value = ""] = /^(\S+)\s+(.*)$/s.exec(rest) ?? [];
    if (name === "") throw parseError(location, `${keyword} must have two arguments`);
    return [[name, value]];
  }
  return list.map((word) => {
    const equals = word.indexOf("=");
    if (equals < 0) {
      throw parseError(
        location,
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
        wordPlace(statement, word),
      );
    }
    if (equals === 0)
      throw parseError(location, `${keyword} names can not be blank`, wordPlace(statement, word));
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}
