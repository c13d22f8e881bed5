import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { chooseAccelerator } from "../accelerator.ts";
import { findTools, type MachineTools, planMachine } from "./machine.ts";
import { templateSource } from "./template.ts";

test("what is missing is named, and how to get it", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "berth-tools-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const options = { cache: directory, kernel: join(directory, "vmlinuz-1") };
  const missing = (places: { programs: string[]; fileServers: string[] }) => () => findTools(options, places);
  assert.throws(
    missing({ programs: [directory], fileServers: ["/bin/sh"] }),
    /needs QEMU \(qemu-system-x86_64\), which is not installed: run `scripts\/setup.sh --with-vm`/,
  );
  writeFileSync(join(directory, "qemu-system-x86_64"), "");
  assert.throws(
    missing({ programs: [directory], fileServers: [join(directory, "virtiofsd")] }),
    /needs virtiofsd, which is not installed/,
  );
  assert.throws(missing({ programs: [directory], fileServers: ["/bin/sh"] }), /vmlinuz-1 does not exist/);
});

const tools: MachineTools = {
  emulator: "/usr/bin/qemu-system-x86_64",
  fileServer: "/usr/lib/qemu/virtiofsd",
  kernel: { version: "6.1", image: "/kernel", modules: "/modules" },
  initrd: "/initrd",
  accelerator: chooseAccelerator({ platform: "linux", kvm: false, tscKhz: 1_000_000 }),
};
const machine = {
  name: "one",
  memory: 256 << 20,
  cpus: 1,
  token: "t",
  rootTag: "root",
  rootfs: "/rootfs",
  macs: ["02:00:00:00:00:01"],
};

test("a machine that boots has its devices, one that goes on slots in their place", () => {
  const words = (fromTemplate?: { kernelHead: string }) => planMachine(tools, { ...machine, fromTemplate });
  const cold = words();
  assert.deepEqual(cold.args.slice(0, 3), ["berth-vmm", "65533", "-"]);
  assert.ok(cold.args.includes("vhost-user-fs-pci,chardev=root,tag=root"));
  assert.ok(cold.args.includes("-initrd") && !cold.args.includes("-incoming"));
  assert.ok(cold.tools.some(({ source }) => source === "/kernel"));
  const warm = words({ kernelHead: "/head" });
  // Its log, two sockets and a tap come before: the state is 7, the memory 8.
  assert.deepEqual(warm.args.slice(0, 3), ["berth-vmm", "65533", "8"]);
  assert.deepEqual(warm.args.slice(-3), ["-S", "-incoming", "defer"]);
  assert.ok(!warm.args.some((word) => /^(vhost-user-fs-pci|virtio-net-pci|-initrd)/.test(word)));
  assert.ok(warm.args.includes("tap,id=net0,fd=6"));
  assert.ok(warm.tools.some(({ source }) => source === "/head"));
});

test("a template's source tells apart what a state depends on, not what is each machine's own", () => {
  const source = templateSource(tools);
  assert.deepEqual(source, templateSource({ ...tools, fileServer: "/other" }));
  assert.notDeepEqual(source, templateSource({ ...tools, initrd: "/other" }));
  const slower = chooseAccelerator({ platform: "linux", kvm: false, tscKhz: 900_000 });
  assert.notDeepEqual(source.args, templateSource({ ...tools, accelerator: slower }).args);
  const kvm = chooseAccelerator({ platform: "linux", kvm: true, tscKhz: null });
  assert.notDeepEqual(source.args, templateSource({ ...tools, accelerator: kvm }).args);
});
