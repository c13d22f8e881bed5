import { defineCommand, noArgs } from "../command.ts";
import { indentJson } from "../format/json.ts";
import { out } from "../io/output.ts";

interface Report {
  images: number;
  layers: number;
  blobs: number;
  problems: { kind: string; id: string; message: string; repaired: boolean }[];
}

/** Has the engine read everything it keeps of images. Exits with 1 when something is wrong and stays so. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Compare all that is kept of images with its digests",
  flags: {
    repair: { type: "bool", help: "Put right what can be" },
    format: { type: "string", default: "", help: "json for everything as JSON", completes: ["json"] },
  },
  arity: noArgs,
  async run(flags, { client }) {
    const report = await client.json<Report>("POST", "/berth/images/check", {
      query: { repair: flags.repair ? 1 : undefined },
    });
    if (flags.format === "json") out(`${indentJson(JSON.stringify(report))}\n`);
    else out(render(report));
    return report.problems.every(({ repaired }) => repaired) ? 0 : 1;
  },
});

function render({ images, layers, blobs, problems }: Report): string {
  const lines = problems.map(
    ({ kind, id, message, repaired }) => `${repaired ? "repaired" : "DAMAGED"}  ${kind} ${id}: ${message}`,
  );
  const verdict = problems.length === 0 ? "all sound" : `${problems.length} not sound`;
  return `${[...lines, `${images} images, ${layers} layers, ${blobs} packed layers: ${verdict}`].join("\n")}\n`;
}
