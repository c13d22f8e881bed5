import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const sdk = "@docker/node-sdk";
const fileName = "docker-api.d.ts";

/** One declaration of the SDK's bundled types: its text, and the names it declares. */
interface Region {
  text: string;
  names: string[];
}

function readRegions(file: string): Region[] {
  const parts = readFileSync(file, "utf8").matchAll(
    /^\/\/#region lib\/types\/.*\n([\s\S]*?)^\/\/#endregion/gm,
  );
  return [...parts].map(([, text = ""]) => ({
    text,
    names: [...text.matchAll(/^(?:declare )?(?:interface|type|enum|class|namespace|const) (\w+)/gm)].map(
      ([, name = ""]) => name,
    ),
  }));
}

/** The names in code, comments apart. */
const words = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\//g, "").match(/\b[A-Z]\w*/g) ?? [];

/** The names that a declaration file imports from the SDK. */
function importedNames(text: string): string[] {
  const imports = text.matchAll(/import (?:type )?\{([^}]*)\} from "@docker\/node-sdk"/g);
  return [...imports].flatMap(([, list = ""]) => words(list));
}

/**
 * Makes declarations stand alone: copies the types of Docker's API that they use out of the SDK, which is
 * Apache-2.0, into a file beside them and points their imports there.
 */
export function writeDockerTypes(directory: string): void {
  const entry = fileURLToPath(import.meta.resolve(sdk));
  const regions = readRegions(join(dirname(entry), "index.d.mts"));
  const owner = new Map(regions.flatMap((region) => region.names.map((name) => [name, region] as const)));

  const files = readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".d.ts"))
    .map((name) => join(directory, name));
  const wanted = new Set<string>();
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    for (const name of importedNames(text)) wanted.add(name);
    const path = relative(dirname(file), join(directory, "docker-api.ts"));
    const rewritten = text.replaceAll(`"${sdk}"`, `"${path.startsWith(".") ? path : `./${path}`}"`);
    if (rewritten !== text) writeFileSync(file, rewritten);
  }

  // A set grows while it is walked: declarations used by declarations follow.
  const used = new Set<Region>();
  for (const name of wanted) {
    const region = owner.get(name);
    if (!region) continue;
    used.add(region);
    for (const word of words(region.text)) if (owner.has(word)) wanted.add(word);
  }
  const names = [...wanted].filter((name) => owner.has(name)).sort();
  const notice = `// Types of the Docker Engine API from ${sdk}, Copyright Docker Inc., under the Apache License 2.0.`;
  const text = [notice, ...regions.filter((region) => used.has(region)).map((region) => region.text)];
  writeFileSync(join(directory, fileName), `${text.join("\n")}\nexport type { ${names.join(", ")} };\n`);
}
