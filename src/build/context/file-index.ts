import { globPattern, hasWildcard } from "../../lib/glob.ts";

/** A file as a builder sees it: what its content is, not when it was made. */
export interface IndexedFile {
  /** Absolute within its root, without links: "/a/b". */
  path: string;
  kind: "directory" | "file" | "symlink" | "special";
  mode: number;
  uid: number;
  gid: number;
  size: number;
  /** Of a file's content, in hex. */
  digest?: string;
  /** Where a symbolic link leads. */
  target?: string;
  /** Digest of the file's capabilities. */
  capability?: string;
  device?: string;
  /** Of a file that has several names: the same for all of them. */
  inode?: string;
}

const maxLinks = 255;

/** The files below a directory, found by their names without looking at the disk. */
export class FileIndex {
  /** Each directory before what is in it. */
  readonly #files: IndexedFile[];
  readonly #places = new Map<string, number>();
  readonly #children = new Map<string, string[]>();

  constructor(files: readonly IndexedFile[]) {
    this.#files = [...files];
    for (const [place, { path }] of this.#files.entries()) {
      this.#places.set(path, place);
      if (path === "/") continue;
      const slash = path.lastIndexOf("/");
      const parent = slash === 0 ? "/" : path.slice(0, slash);
      const list = this.#children.get(parent);
      if (list) list.push(path.slice(slash + 1));
      else this.#children.set(parent, [path.slice(slash + 1)]);
    }
  }

  get size(): number {
    return this.#files.length;
  }

  /** The directory or file that all others are below. */
  first(): IndexedFile | undefined {
    return this.#files[0];
  }

  /** The same files with another directory as their root. */
  below(root: string): FileIndex {
    if (root === "/") return this;
    return new FileIndex(
      this.tree(root).map((file) => ({ ...file, path: file.path.slice(root.length) || "/" })),
    );
  }

  get(path: string): IndexedFile | undefined {
    const place = this.#places.get(path);
    return place === undefined ? undefined : this.#files[place];
  }

  /** A file and all below it. */
  tree(path: string): IndexedFile[] {
    const place = this.#places.get(path);
    if (place === undefined) return [];
    const prefix = path === "/" ? "/" : `${path}/`;
    let end = place + 1;
    while (this.#files[end]?.path.startsWith(prefix)) end++;
    return this.#files.slice(place, end);
  }

  /** What a path leads to when links are followed, `..` and links never out of the root; undefined for nothing. */
  resolve(path: string): IndexedFile | undefined {
    let rest = path.split("/");
    let at = "";
    for (let links = 0; rest.length > 0; ) {
      const [name = "", ...after] = rest;
      rest = after;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
        continue;
      }
      const file = this.get(`${at}/${name}`);
      if (!file) return undefined;
      if (file.kind !== "symlink") {
        at = file.path;
        continue;
      }
      if (++links > maxLinks) return undefined;
      const target = file.target ?? "";
      if (target.startsWith("/")) at = "";
      rest = [...target.split("/"), ...rest];
    }
    return this.get(at === "" ? "/" : at);
  }

  /** The paths that a pattern names, in their order: itself when it has no wildcard. See `SourceFiles.match`. */
  glob(pattern: string, deep = false): string[] {
    if (!hasWildcard(pattern)) return this.resolve(pattern) ? [pattern] : [];
    let found = ["/"];
    for (const part of pattern.split("/").filter((name) => name !== "" && name !== ".")) {
      found =
        deep && part === "**"
          ? [...new Set(found.flatMap((parent) => this.#directories(parent)))]
          : found.flatMap((parent) => this.#match(parent, part));
    }
    return found;
  }

  /** A directory and those below it; links are not followed. */
  #directories(path: string): string[] {
    return this.tree(path).flatMap((file) => (file.kind === "directory" ? [file.path] : []));
  }

  #match(parent: string, part: string): string[] {
    const prefix = parent === "/" ? "/" : `${parent}/`;
    if (!hasWildcard(part)) return this.resolve(prefix + part) ? [prefix + part] : [];
    const directory = this.resolve(parent);
    const matches = globPattern(part);
    const names = this.#children.get(directory?.path ?? "") ?? [];
    return names.filter((name) => matches.test(name)).map((name) => prefix + name);
  }

  /** The index without what `excluded` names, and the topmost of the paths that went. */
  without(excluded: (file: IndexedFile) => boolean): { index: FileIndex; gone: string[] } {
    const gone: string[] = [];
    const kept: IndexedFile[] = [];
    // A directory stays for the sake of what is kept in it.
    const wanted = new Set<string>();
    const dropped = new Set<IndexedFile>();
    for (const file of this.#files) {
      if (file.path !== "/" && excluded(file)) dropped.add(file);
      else
        for (
          let path = file.path;
          path !== "" && !wanted.has(path);
          path = path.slice(0, path.lastIndexOf("/"))
        )
          wanted.add(path);
    }
    for (const file of this.#files) {
      if (!dropped.has(file) || wanted.has(file.path)) kept.push(file);
      else if (gone.length === 0 || !file.path.startsWith(`${gone.at(-1)}/`)) gone.push(file.path);
    }
    return { index: new FileIndex(kept), gone };
  }
}
