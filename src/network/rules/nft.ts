import { spawn } from "node:child_process";
import { system } from "../../lib/errors.ts";

/** Runs nft(8) on a script; resolves with what it prints. Throws SYSTEM with its message. */
export function nft(args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("nft", args, { stdio: "pipe" });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    child.on("error", (error) =>
      reject(system(`nft (of the package nftables) could not be run: ${error.message}`, error)),
    );
    child.on("close", (code) => (code === 0 ? resolve(out) : reject(system(`nft: ${err.trim()}`))));
    // It may end before it has read everything; its exit tells.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

/** The rules in the administrator's own chain of a table; none when there is no such table. */
export async function userRules(table: string): Promise<string[]> {
  let listing: string;
  try {
    listing = await nft(["list", "chain", "inet", table, "user"]);
  } catch {
    // Most often there is no table yet; whatever else is wrong, loading the rules will tell.
    return [];
  }
  const body = /chain user \{\n([\s\S]*?)\n?\t\}/.exec(listing)?.[1] ?? "";
  return body
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}

/** Removes the tables of that name, if they are there. */
export async function removeTables(table: string): Promise<void> {
  const both = ["inet", "bridge"].map((family) => `${family} ${table}`);
  await nft(["-f", "-"], both.map((name) => `add table ${name}\ndelete table ${name}\n`).join(""));
}
