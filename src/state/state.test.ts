import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { BerthError } from "../lib/errors.ts";
import { openState } from "./index.ts";
import { migrate } from "./migrate.ts";

const base = mkdtempSync(join(tmpdir(), "berth-state-"));
after(() => rmSync(base, { recursive: true, force: true }));

const mode = (path: string): number => statSync(path).mode & 0o7777;

test("a new data root has its directories, closed to other users", () => {
  const root = join(base, "new", "root");
  const state = openState(root);
  assert.equal(mode(root), 0o700);
  assert.equal(mode(state.paths.content), 0o700);
  assert.equal(mode(state.paths.layers), 0o711);
  assert.equal(state.db.prepare("SELECT count(*) AS n FROM containers").get()?.n, 0);
  state.close();
});

test("what was written is there when the root is opened again, and half-made things are told of", () => {
  const root = join(base, "again");
  const first = openState(root);
  first.db.exec("CREATE TABLE probe(owner TEXT); INSERT INTO probe VALUES ('one')");
  const half = join(first.paths.temporary, "half");
  writeFileSync(half, "x");
  first.close();
  const second = openState(root);
  assert.equal(second.db.prepare("SELECT owner FROM probe").get()?.owner, "one");
  assert.deepEqual(second.leftovers, [half]);
  second.close();
});

test("a second owner in the same process is refused with the pid of the first", () => {
  const root = join(base, "same-process");
  const first = openState(root);
  assert.throws(
    () => openState(root),
    (error) =>
      error instanceof BerthError && error.code === "CONFLICT" && error.message.includes(`${process.pid}`),
  );
  first.close();
  openState(root).close();
});

test("a killed owner leaves no lock behind", async () => {
  const root = join(base, "killed");
  const program = `
    import { openState } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
    const state = openState(${JSON.stringify(root)});
    state.db.exec("CREATE TABLE probe(owner TEXT); INSERT INTO probe VALUES ('killed')");
    console.log("open");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await Promise.race([
    once(child.stdout, "data"),
    once(child, "exit").then(() => assert.fail("the owner ended by itself")),
  ]);
  assert.throws(() => openState(root), new RegExp(`process ${child.pid}`));
  child.kill("SIGKILL");
  await once(child, "exit");
  const state = openState(root);
  assert.equal(state.db.prepare("SELECT owner FROM probe").get()?.owner, "killed");
  state.close();
});

test("a transaction that throws leaves nothing, also nested", () => {
  const state = openState(join(base, "transactions"));
  state.db.exec("CREATE TABLE probe(idx INTEGER)");
  const insert = (idx: number): void => void state.db.prepare("INSERT INTO probe VALUES (?)").run(idx);
  state.transaction(() => {
    insert(1);
    assert.throws(() =>
      state.transaction(() => {
        insert(2);
        throw new Error("no");
      }),
    );
    insert(3);
  });
  assert.throws(() =>
    state.transaction(() => {
      insert(4);
      throw new Error("no");
    }),
  );
  const rows = state.db.prepare("SELECT idx FROM probe ORDER BY idx").all();
  assert.deepEqual(
    rows.map((row) => row.idx),
    [1, 3],
  );
  state.close();
});

test("tables of a newer version are refused; a failing step leaves the version before it", () => {
  const db = new DatabaseSync(":memory:");
  migrate(db, [{ domain: "d", steps: ["CREATE TABLE a(x)", "CREATE TABLE b(x)"] }]);
  assert.throws(() => migrate(db, [{ domain: "d", steps: ["CREATE TABLE a(x)"] }]), /newer Berth/);
  const steps = [
    "CREATE TABLE a(x)",
    "CREATE TABLE b(x)",
    "CREATE TABLE c(x); INSERT INTO nowhere VALUES (1)",
  ];
  assert.throws(() => migrate(db, [{ domain: "d", steps }]), /nowhere/);
  assert.equal(db.prepare("SELECT version FROM schema_version").get()?.version, 2);
  assert.throws(() => db.prepare("SELECT * FROM c"));
});
