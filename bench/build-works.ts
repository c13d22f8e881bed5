import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { find, run } from "./command.ts";
import { imageName } from "./image.ts";
import type { Daemon } from "./peers/daemon.ts";
import { berthProgram } from "./peers/engines.ts";
import { timed } from "./statistics.ts";
import type { Work } from "./work.ts";

/** Builds a context, with or without what was built before. */
interface Builder {
  name: string;
  build(context: string, cached: boolean): Promise<void>;
}

const files = 20_000;

/** Twelve steps as many Dockerfiles have them. */
const steps = `FROM ${imageName}
ENV A=1 B=2
WORKDIR /app
COPY one .
RUN echo 1 > 1
RUN echo 2 > 2
RUN echo 3 > 3
COPY two .
RUN echo 4 > 4
RUN echo 5 > 5
EXPOSE 80
CMD ["sh"]
`;

/** Builders that are installed, each on what its engine has; podman's store is buildah's too. */
export function installedBuilders(daemons: readonly Daemon[]): Builder[] {
  const builders: Builder[] = [];
  const docker = find("docker");
  const buildah = find("buildah");
  const common = (context: string, cached: boolean): string[] => [
    ...["--network", "none", "-t", "bench/built"],
    ...(cached ? [] : ["--no-cache"]),
    context,
  ];
  for (const { name, socket, environment, directory } of daemons) {
    const host = ["-H", `unix://${socket}`];
    const classic = { ...process.env, DOCKER_BUILDKIT: "0" };
    if (name === "berth") {
      builders.push({ name, build: (...how) => run(berthProgram, [...host, "build", ...common(...how)]) });
      if (docker)
        builders.push({
          name: "berth, docker build",
          build: (...how) => run(docker, [...host, "build", ...common(...how)], classic),
        });
    } else if (name === "dockerd" && docker) {
      builders.push({ name, build: (...how) => run(docker, [...host, "build", ...common(...how)], classic) });
    } else if (name === "podman") {
      const store = [`--root=${join(directory, "data")}`, `--runroot=${join(directory, "run")}`];
      const own = [...store, `--tmpdir=${join(directory, "tmp")}`];
      builders.push({
        name,
        build: (...how) => run("podman", [...own, "build", ...common(...how)], environment),
      });
      if (buildah)
        builders.push({
          name: "buildah",
          // As the others do: a layer for each step, to be used again.
          build: (...how) => run(buildah, [...store, "bud", "--layers", ...common(...how)], environment),
        });
    }
  }
  return builders;
}

function each(
  builders: readonly Builder[],
  sample: (builder: Builder) => Promise<number>,
): Work["contenders"] {
  return new Map(builders.map((builder) => [builder.name, () => sample(builder)]));
}

/** A Dockerfile of twelve steps, done anew and known already. */
export function buildingSteps(builders: readonly Builder[], parent: string, rounds: number): Work[] {
  const context = join(parent, "steps");
  mkdirSync(context);
  for (const [name, text] of [
    ["Dockerfile", steps],
    ["one", "1"],
    ["two", "2"],
  ] as const)
    writeFileSync(join(context, name), text);
  const common = { unit: "ms", better: "less", rounds, warmups: 1 } as const;
  return [
    {
      ...common,
      title: "build: 12 steps, nothing cached",
      contenders: each(builders, ({ build }) => timed(() => build(context, false))),
    },
    {
      ...common,
      title: "build: 12 steps, all cached",
      budget: 60,
      contenders: each(builders, ({ build }) => timed(() => build(context, true))),
    },
  ];
}

/** `COPY` of many files, and the same with one of them changed. */
export function buildingFiles(builders: readonly Builder[], parent: string, rounds: number): Work[] {
  const context = join(parent, "files");
  const prepare = async (): Promise<void> => makeFiles(context);
  const common = { unit: "ms", better: "less", rounds, warmups: 1, prepare } as const;
  let change = 0;
  return [
    {
      ...common,
      title: "build: COPY of 20,000 files",
      contenders: each(builders, ({ build }) => timed(() => build(context, false))),
    },
    {
      ...common,
      title: "build: the same, all cached",
      contenders: each(builders, ({ build }) => timed(() => build(context, true))),
    },
    {
      ...common,
      title: "build: the same, one file changed",
      contenders: each(builders, ({ build }) => {
        writeFileSync(join(context, "tree/7/7.js"), `${++change}\n`);
        return timed(() => build(context, true));
      }),
    },
  ];
}

/** Many small files in many directories, once. */
function makeFiles(context: string): void {
  if (existsSync(context)) return;
  for (let index = 0; index < files; index++) {
    const directory = join(context, "tree", String(index % 200));
    if (index < 200) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `${index}.js`), `${index}\n`.repeat(200));
  }
  writeFileSync(join(context, "Dockerfile"), `FROM ${imageName}\nCOPY tree /tree\n`);
}
