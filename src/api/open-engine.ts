import { Builder } from "../build/builder.ts";
import { Engine } from "../engine/engine.ts";
import type { ClosableServices, OpenEngine } from "./daemon.ts";

/** Opens the engine that a daemon serves, with a builder on it. */
export const openEngine: OpenEngine = async (options): Promise<ClosableServices> => {
  const engine = await Engine.open(options);
  const { containers, execs, images, volumes, networks, system, explain, cgroups, machines } = engine;
  const builder = new Builder(engine.workshop, images, options.buildCache, options.cdiDirectories);
  return {
    experimental: options.experimental,
    containers,
    execs,
    images,
    volumes,
    networks,
    system,
    explain,
    cgroups,
    machines,
    builds: builder,
    close: () => {
      builder.close();
      return engine.close();
    },
  };
};
