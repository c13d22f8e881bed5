import type { ImageSummary } from "@docker/node-sdk";
import { parseReference } from "./reference.ts";
import type { Listing } from "./rows.ts";
import { goTime, humanSize, shortId, timeAgo } from "./units.ts";

const none = "<none>";

/** One name of an image. */
export interface ImageName {
  image: ImageSummary;
  repository: string;
  tag: string;
  digest: string;
}

/** A row for each tag of each image; with digests, for each tag and digest of a repository. */
export function expandImages(images: readonly ImageSummary[], needDigest: boolean): ImageName[] {
  return images.flatMap((image) => expandImage(image, needDigest));
}

function expandImage(image: ImageSummary, needDigest: boolean): ImageName[] {
  const tags = (image.RepoTags ?? []).filter((tag) => tag !== `${none}:${none}`).map(parseReference);
  const digests = (image.RepoDigests ?? []).filter((text) => text !== `${none}@${none}`).map(parseReference);
  if (tags.length === 0 && digests.length === 0)
    return [{ image, repository: none, tag: none, digest: none }];
  const rows: ImageName[] = [];
  for (const { name, tag = none } of tags) {
    const own = needDigest ? digests.filter((digest) => digest.name === name) : [];
    const list = own.length > 0 ? own.map(({ digest = none }) => digest) : [none];
    for (const digest of list) rows.push({ image, repository: name, tag, digest });
  }
  const seen = new Set(tags.map(({ name }) => name));
  for (const { name, digest = none } of digests) {
    if (seen.has(name)) continue;
    if (!needDigest) seen.add(name);
    rows.push({ image, repository: name, tag: none, digest: needDigest ? digest : none });
  }
  return rows;
}

/** The columns of `images`. */
export function imageListing(full: boolean, digests: boolean): Listing<ImageName> {
  const known = (bytes: number) => (bytes === -1 ? "N/A" : humanSize(bytes));
  return {
    typeName: "imageContext",
    table: `{{.Repository}}\t{{.Tag}}${digests ? "\t{{.Digest}}" : ""}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`,
    quiet: "{{.ID}}",
    columns: {
      ID: { header: "IMAGE ID", value: ({ image: { Id } }) => (full ? Id : shortId(Id)) },
      Repository: { header: "REPOSITORY", value: ({ repository }) => repository },
      Tag: { header: "TAG", value: ({ tag }) => tag },
      Digest: { header: "DIGEST", value: ({ digest }) => digest },
      CreatedSince: {
        header: "CREATED",
        value: ({ image: { Created } }) => (Created > 0 ? timeAgo(Created) : "N/A"),
      },
      CreatedAt: {
        header: "CREATED AT",
        value: ({ image: { Created } }) => goTime(new Date(Created * 1000)),
      },
      Size: { header: "SIZE", value: ({ image: { Size } }) => humanSize(Size, 3) },
      Containers: {
        header: "CONTAINERS",
        value: ({ image: { Containers } }) => (Containers === -1 ? "N/A" : String(Containers)),
      },
      VirtualSize: { header: "SIZE", value: ({ image: { Size } }) => humanSize(Size) },
      SharedSize: { header: "SHARED SIZE", value: ({ image: { SharedSize } }) => known(SharedSize) },
      UniqueSize: {
        header: "UNIQUE SIZE",
        value: ({ image: { Size, SharedSize } }) =>
          SharedSize === -1 ? "N/A" : humanSize(Size - SharedSize),
      },
    },
  };
}
