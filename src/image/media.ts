/** Media types of the OCI image specification and of Docker's schema 2, by what they are. */
export const media = {
  index: [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
  ],
  manifest: [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
  ],
  config: ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"],
} as const;

/** Layers that are tar archives, packed in a way that is known. */
const layer =
  /^application\/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+gzip|\+zstd)?|docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip|\.zstd)?)$/;

export const isIndex = (type: string): boolean => media.index.some((known) => known === type);
export const isManifest = (type: string): boolean => media.manifest.some((known) => known === type);
export const isConfig = (type: string): boolean => media.config.some((known) => known === type);
export const isLayer = (type: string): boolean => layer.test(type);
