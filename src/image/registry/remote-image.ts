import { system } from "../../lib/errors.ts";
import { parseDocument } from "../document.ts";
import type { Layer } from "../layers.ts";
import type { Reference } from "../reference.ts";
import { chooseManifest, fetchConfig, fetchManifest, type PullTarget, pullLayers } from "./pull.ts";

/** An image in a registry, of which only what is asked for is fetched. */
export interface RemoteImage {
  /** The exact bytes of its configuration. */
  config: Buffer;
  /** Fetches a layer that stands by itself, by its place from the lowest; it is held. */
  layer(place: number): Promise<Layer>;
}

/** Looks at an image of a registry. */
export async function openRemoteImage(target: PullTarget, reference: Reference): Promise<RemoteImage> {
  const wanted = reference.digest ?? reference.tag ?? "latest";
  const top = await fetchManifest(target.repository, wanted, reference);
  const { manifest } = await chooseManifest(target, top);
  const config = await fetchConfig(target.repository, manifest.config);
  const diffIds = parseDocument(config).rootfs.diff_ids;
  return {
    config,
    async layer(place) {
      const descriptor = manifest.layers[place];
      const diffId = diffIds[place];
      if (!descriptor || diffId === undefined) throw system(`${wanted} has no layer ${place}`);
      const [layer] = await pullLayers(target, [descriptor], [diffId]);
      if (!layer) throw system(`layer ${diffId} could not be fetched`);
      return layer;
    },
  };
}
