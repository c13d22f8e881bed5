// Berth beside its peers on this machine: npm run bench -- [--quick] [--markdown] [--only TEXT] [--engines NAME,NAME]
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildingFiles, buildingSteps, installedBuilders } from "./build-works.ts";
import { find } from "./command.ts";
import { importImage, makeRootfs } from "./image.ts";
import { type ImageWorks, moving, pulling, pushing } from "./image-works.ts";
import { type LargeImage, makeLargeImage } from "./large-image.ts";
import { describeLoad, describeMachine, describeTools } from "./machine.ts";
import { paths, publishedLives, wide } from "./network-works.ts";
import { Daemon } from "./peers/daemon.ts";
import { installedEngines } from "./peers/engines.ts";
import { installedRuntimes } from "./peers/runtimes.ts";
import { pushHost, registryFiles, registryHost, startRegistry } from "./registry.ts";
import { table } from "./table.ts";
import { hasMachines, machineLives, manyMachines } from "./vm-works.ts";
import { type Measured, measure, rate, ratio, type Work } from "./work.ts";
import * as works from "./works.ts";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    engines: { type: "string", default: "berth,dockerd,podman" },
  },
});

if (process.getuid?.() !== 0) {
  console.error("The engines that are compared run as root; so must the comparison.");
  process.exit(1);
}

const rounds = (count: number) => (options.quick ? Math.max(2, Math.ceil(count / 5)) : count);
const directory = mkdtempSync(join(tmpdir(), "berth-bench-"));
const engines = installedEngines().filter(({ name }) => options.engines.split(",").includes(name));
const runtimes = installedRuntimes(directory);
const daemons = engines.map((engine) => new Daemon(engine, directory));
const rows: Measured[] = [];

/** Measures works in turn with each other; adds their rows. */
async function takeAlways(...works: Work[]): Promise<Measured[]> {
  process.stderr.write(`${works.map(({ title }) => title).join(", ")} …\n`);
  const measured = await measure(...works);
  rows.push(...measured);
  return measured;
}

/** The same, unless none of them is asked for. */
async function take(...works: Work[]): Promise<Measured[]> {
  return works.some(({ title }) => options.only.split(",").some((part) => title.includes(part)))
    ? takeAlways(...works)
    : [];
}

/** The same for two works, and the ratio of their medians as a further row. */
async function takeRatio(above: Work, below: Work, budget: number): Promise<void> {
  const [first, second] = await take(above, below);
  if (first && second) rows.push(ratio(`${above.title} ÷ ${below.title}`, first, second, budget));
}

async function compare(): Promise<void> {
  const rootfs = makeRootfs(directory);
  const { starting, resident } = works.daemonStart(daemons, rounds(7));
  if ((await take(starting)).length > 0) await takeAlways(resident);
  for (const daemon of daemons) {
    await daemon.start();
    await importImage(daemon, rootfs);
  }
  await take(works.restedMemory(daemons, 1, 50));
  const life = works.apiLife(daemons, rounds(12));
  if ((await take(life.whole)).length > 0) for (const part of life.parts) await takeAlways(part);
  await take(works.bridgedLife(daemons, rounds(12)));
  await compareNetworks();
  await take(works.apiExec(daemons, rounds(12)));
  await take(works.throughput(daemons, rounds(3), 8, options.quick ? 2 : 5));
  await take(works.idleMemory(daemons, rounds(3), 5));
  await take(works.runtimeAlone(runtimes, directory, rootfs, rounds(30)));
  await compareBuilds();
  await compareImages();
  await compareMachines();
  const docker = works.dockerClient(daemons, rounds(20));
  if (docker) await takeRatio(docker.run, docker.version, 1.6);
  const berth = daemons.find(({ name }) => name === "berth");
  if (berth) {
    const own = works.ownClient(berth, rounds(20));
    await takeRatio(own.version, own.node, 1.6);
  }
}

/** The rows of networks share containers, so all of a kind are taken or none. */
async function compareNetworks(): Promise<void> {
  for (const work of publishedLives(daemons, rounds(12), 8, options.quick ? 2 : 5)) await take(work);
  const wanted = (text: string) => options.only.split(",").some((part) => text.includes(part));
  if (wanted("TCP names")) for (const work of paths(daemons, directory, rounds(5))) await takeAlways(work);
  const berth = daemons.find(({ name }) => name === "berth");
  if (berth) for (const work of wide(berth, 500, 5000)) await take(work);
}

/** Where there is a hypervisor; the rows share what they prepare, so all of a kind are taken or none. */
async function compareMachines(): Promise<void> {
  const berth = daemons.find(({ name }) => name === "berth");
  const wanted = options.only.split(",").some((part) => "virtual machine".includes(part));
  if (!berth || !wanted) return;
  if (!hasMachines()) {
    console.error("QEMU and a guest kernel are not all there: no virtual machines (setup.sh --with-vm)");
    return;
  }
  await takeAlways(...machineLives(berth, directory, rounds(10)));
  for (const work of manyMachines(berth, 10, rounds(3))) await takeAlways(work);
}

/** In turn within each kind of work, the works one after the other. */
async function compareBuilds(): Promise<void> {
  const wanted = options.only === "" || options.only.split(",").some((part) => part.startsWith("build"));
  if (!wanted) return;
  const builders = installedBuilders(daemons);
  for (const work of buildingSteps(builders, directory, rounds(9))) await take(work);
  for (const work of buildingFiles(builders, directory, rounds(3))) await take(work);
}

/** Images take long to move: only where a registry can be had and the rows are asked for. */
async function compareImages(): Promise<void> {
  const wanted = (word: string) => word.includes(options.only) || options.only.includes(word);
  if (!["pull", "load", "save", "push", "image"].some(wanted)) return;
  const docker = find("docker");
  const own = find("skopeo") === null || docker === null ? null : await startRegistry(directory, process.pid);
  if (own === null || docker === null) {
    console.error("docker-registry, skopeo and docker are not all installed: no images are moved");
    return;
  }
  const registries = [own];
  try {
    const image = makeLargeImage(directory);
    for (const daemon of daemons)
      for (const host of [registryHost, pushHost]) {
        const registry = await startRegistry(directory, daemon.processes[0] ?? 0, host);
        if (registry) registries.push(registry);
      }
    const emptyRegistry = () => rmSync(registryFiles(directory, pushHost), { recursive: true, force: true });
    const bench = { docker, image, directory, rounds: rounds(5), emptyRegistry };
    const all = options.only === "image";
    if (all || wanted("pull")) await takeMoved(image, pulling(bench, daemons));
    if (all || wanted("load") || wanted("save")) await takeMoved(image, moving(bench, daemons));
    if (all || wanted("push")) {
      await takeMoved(image, pushing(bench, daemons, "pulled"));
      await takeMoved(image, pushing(bench, daemons, "loaded"));
    }
  } finally {
    for (const registry of registries) registry.stop();
  }
}

/** The rows of one way of moving the image, the first also by bytes a second of its plain layers. */
async function takeMoved(image: LargeImage, { main, asides }: ImageWorks): Promise<void> {
  for (const measured of await takeAlways(main))
    rows.push(rate("of that: bytes a second of the plain layers", measured, image.plainSize / 1e6));
  for (const aside of asides) await takeAlways(aside);
}

function report(): string[] {
  return [
    ...table(rows),
    "",
    `Machine: ${describeMachine()}; ${describeLoad()}.`,
    `Versions: ${[...engines, ...runtimes].map(({ version }) => version).join("; ")}; ${describeTools().join("; ")}.`,
    "Medians; the engines took turns. In parentheses how many times better Berth did, and the value that 90 %",
    "of Berth's were below. Containers run `true`, without network where none is named.",
  ];
}

let failed = false;
try {
  await compare();
} finally {
  for (const daemon of daemons) {
    try {
      await daemon.stop();
      daemon.remove();
    } catch (error) {
      failed = true;
      console.error(`${daemon.name}: ${error instanceof Error ? error.message : error}`);
    }
  }
  rmSync(directory, { recursive: true, force: true });
}
console.log(report().join("\n"));
if (options.markdown) {
  const file = resolve(import.meta.dirname, "../docs/performance.md");
  mkdirSync(resolve(file, ".."), { recursive: true });
  const head = [
    "# Performance",
    "",
    "Written by `npm run bench -- --markdown`, which runs Berth and what is installed of dockerd, Podman,",
    "runc and crun side by side in private directories and asks all of them the same with the same client.",
    "",
  ];
  writeFileSync(file, `${[...head, ...report()].join("\n")}\n`);
}
process.exitCode = failed ? 1 : 0;
