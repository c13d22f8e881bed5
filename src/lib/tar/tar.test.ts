import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { padding, type TarEntry, TarError } from "./entry.ts";
import { readTar } from "./read.ts";
import { type TarEntryInit, tarEnd, tarHeader } from "./write.ts";

const base = mkdtempSync(join(tmpdir(), "berth-tar-"));
after(() => rmSync(base, { recursive: true, force: true }));

function member(init: TarEntryInit, data = ""): Buffer {
  const bytes = Buffer.from(data);
  const header = tarHeader({ ...init, size: bytes.length });
  return Buffer.concat([header, bytes, Buffer.alloc(padding(bytes.length))]);
}

async function read(archive: Buffer, step = 777): Promise<{ entry: TarEntry; data: string }[]> {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < archive.length; at += step) yield archive.subarray(at, at + step);
  }
  const result: { entry: TarEntry; data: string }[] = [];
  for await (const { entry, data } of readTar(chunks())) {
    const parts: Buffer[] = [];
    for await (const part of data) parts.push(part);
    result.push({ entry, data: Buffer.concat(parts).toString() });
  }
  return result;
}

const long = `${"directory/".repeat(30)}name`;

test("what was written is read back, whatever the chunks", async () => {
  const entry: TarEntryInit = {
    name: long,
    mode: 0o4755,
    uid: 5_000_000,
    gid: 7,
    mtime: 1_700_000_000_123_456_789n,
    xattrs: new Map([["security.capability", Buffer.from([1, 0, 0, 2, 10, 61])]]),
  };
  const archive = Buffer.concat([
    member(entry, "hello"),
    member({ name: "ü", type: "symlink", linkname: `/${long}` }),
    tarEnd,
  ]);
  for (const step of [1, 511, 512, 100_000]) {
    const [first, second, ...rest] = await read(archive, step);
    assert.deepEqual(rest, []);
    assert.equal(first?.data, "hello");
    assert.deepEqual(
      { ...first?.entry, size: 0 },
      { ...entry, size: 0, type: "file", linkname: "", major: 0, minor: 0 },
    );
    assert.equal(second?.entry.name, "ü");
    assert.equal(second?.entry.linkname, `/${long}`);
  }
});

test("GNU tar reads what is written, and what it writes is read", async () => {
  const file = join(base, "a.tar");
  writeFileSync(
    file,
    Buffer.concat([member({ name: long, mode: 0o640, mtime: 1_700_000_000_500_000_000n }, "data"), tarEnd]),
  );
  execFileSync("tar", ["-xf", file, "-C", base]);
  assert.equal(readFileSync(join(base, long), "utf8"), "data");
  assert.equal(statSync(join(base, long), { bigint: true }).mtimeNs, 1_700_000_000_500_000_000n);
  for (const format of ["gnu", "ustar", "pax", "v7"]) {
    const paths = format === "v7" || format === "ustar" ? ["a.tar"] : [long];
    execFileSync("tar", ["-C", base, `--format=${format}`, "-cf", join(base, "b.tar"), ...paths]);
    const [first] = await read(readFileSync(join(base, "b.tar")));
    assert.equal(first?.entry.name, paths[0], format);
  }
});

test("damaged archives are refused", async () => {
  const good = Buffer.concat([member({ name: "a" }, "data"), tarEnd]);
  await assert.rejects(read(good.subarray(0, 600)), TarError);
  await assert.rejects(read(good.subarray(0, 300)), TarError);
  const flipped = Buffer.from(good);
  flipped[0] = 0x62;
  await assert.rejects(read(flipped), /invalid tar header/);
  await assert.rejects(read(Buffer.concat([Buffer.alloc(512), good])), /invalid tar header/);
});

test("a header that promises gigabytes is refused at once", async () => {
  const header = tarHeader({ name: "x", size: 4_000_000_000 });
  header.write("x", 156, "latin1");
  header.write("        ", 148, "latin1");
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  await assert.rejects(read(header), /larger than/);
});
