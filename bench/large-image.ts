import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { dockerArchive, ociLayout, type TestImage, tarOf } from "../test/support/images.ts";
import { registryHost } from "./registry.ts";

const layers = 10;
const filesPerLayer = 2000;
const fileSize = 15_000;
export const largeName = `${registryHost}/bench/large`;

export interface LargeImage {
  /** As `docker save` writes it. */
  archive: string;
  /** The layers, plain and by gzip. */
  plain: string[];
  packed: string[];
  /** Bytes of the plain layers together. */
  plainSize: number;
}

/** An image of 10 layers, 20,000 files and 300 MB, which compress to a third, in files and in the registry. */
export function makeLargeImage(directory: string): LargeImage {
  const image: TestImage = {
    tags: [`${largeName}:1`],
    layers: Array.from({ length: layers }, (_, i) => makeLayer(i)),
  };
  const parts = join(directory, "large");
  mkdirSync(parts);
  const write = (name: string, data: Buffer): string => {
    writeFileSync(join(parts, name), data);
    return join(parts, name);
  };
  const oci = write("oci.tar", ociLayout([image]));
  execFileSync("skopeo", [
    "copy",
    "--quiet",
    "--dest-tls-verify=false",
    `oci-archive:${oci}`,
    `docker://${largeName}:1`,
  ]);
  return {
    archive: write("docker.tar", dockerArchive([image])),
    plainSize: image.layers.reduce((sum, layer) => sum + layer.length, 0),
    plain: image.layers.map((layer, i) => write(`${i}.tar`, layer)),
    packed: image.layers.map((layer, i) => write(`${i}.tar.gz`, gzipSync(layer, { level: 1 }))),
  };
}

function makeLayer(number: number): Buffer {
  return tarOf(
    Array.from({ length: filesPerLayer }, (_, i) => ({
      name: `layer${number}/d${i % 40}/file${i}`,
      data: text(number * filesPerLayer + i + 1),
    })),
  );
}

/** Words of random letters, no two files alike; compresses about as programs and their documents do. */
function text(seed: number): Buffer {
  const data = Buffer.alloc(fileSize);
  let x = seed * 2_654_435_761;
  for (let i = 0; i < fileSize; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    data[i] = i % 3 === 0 ? 32 + ((x >>> 8) & 63) : 97 + ((x >>> 8) & 3);
  }
  return data;
}
