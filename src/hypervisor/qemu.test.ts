import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseAccelerator } from "./accelerator.ts";
import { qemuArguments, type VirtualMachine } from "./qemu.ts";

const machine: VirtualMachine = {
  name: "one",
  chipset: "microvm",
  accelerator: chooseAccelerator({ platform: "linux", kvm: false, tscKhz: 2_000_000 }),
  memory: 128 << 20,
  cpus: 2,
  boot: { image: "/k", initrd: "/i", commandLine: ["console=ttyS0", "quiet"] },
  devices: [],
  controlSocket: "/run/qmp",
};

/** The values that follow an argument. */
const values = (args: string[], name: string): string[] =>
  args.flatMap((arg, at) => (arg === name ? [args[at + 1] ?? ""] : []));

test("a microvm that boots a kernel", () => {
  const args = qemuArguments(machine);
  assert.deepEqual(values(args, "-machine"), [
    "microvm,acpi=on,pcie=on,rtc=on,pic=off,pit=off,usb=off,auto-kernel-cmdline=off,memory-backend=memory,dump-guest-core=off",
  ]);
  assert.deepEqual(values(args, "-accel"), ["tcg,thread=multi,tb-size=24"]);
  assert.deepEqual(values(args, "-m"), ["131072K"]);
  assert.deepEqual(values(args, "-object"), ["memory-backend-memfd,id=memory,size=134217728,share=on"]);
  assert.deepEqual(values(args, "-append"), [
    "tsc_early_khz=2000000 tsc=reliable no_timer_check console=ttyS0 quiet",
  ]);
  for (const name of ["-nodefaults", "-no-user-config", "-no-reboot"]) assert.ok(args.includes(name), name);
  assert.match(values(args, "-sandbox")[0] ?? "", /^on,/);
});

test("devices are in order", () => {
  const devices: VirtualMachine["devices"] = [
    { kind: "disk", id: "root", file: "/d,isk", format: "qcow2", serial: "root" },
    { kind: "disk", id: "data", file: "/data", format: "raw", readonly: true },
    { kind: "network", id: "net0", fd: 3, mac: "02:00:00:00:00:01" },
    { kind: "share", id: "layers", tag: "layers", socket: "/fs" },
    { kind: "port", name: "agent", socket: "/agent" },
    { kind: "balloon" },
    { kind: "rng" },
    { kind: "slot", id: "spare" },
  ];
  const micro = qemuArguments({ ...machine, devices });
  assert.deepEqual(values(micro, "-device"), [
    "virtio-serial-pci,id=ports,max_ports=2",
    "virtio-blk-pci,id=root-device,drive=root,serial=root",
    "virtio-blk-pci,id=data-device,drive=data",
    "virtio-net-pci,netdev=net0,mac=02:00:00:00:00:01,romfile=",
    "vhost-user-fs-pci,chardev=layers,tag=layers",
    "virtserialport,bus=ports.0,chardev=port-agent,name=agent",
    "virtio-balloon-pci,id=balloon,free-page-reporting=on",
    "virtio-rng-pci,rng=random",
    "pcie-root-port,id=spare,chassis=8,power_controller_present=off",
  ]);
  assert.deepEqual(values(micro, "-blockdev"), [
    "driver=file,node-name=root-file,filename=/d,,isk,discard=unmap",
    "driver=qcow2,node-name=root,file=root-file,discard=unmap",
    "driver=file,node-name=data-file,filename=/data,read-only=on,discard=unmap",
    "driver=raw,node-name=data,file=data-file,read-only=on,discard=unmap",
  ]);
});

test("a PC that boots its first disk and may restart", () => {
  const args = qemuArguments({ ...machine, chipset: "q35", boot: null, reboot: "reset" });
  assert.deepEqual([values(args, "-kernel"), args.includes("-no-reboot")], [[], false]);
});

test("a machine that waits for a saved state, its memory in a file", () => {
  const args = qemuArguments({
    ...machine,
    memoryFile: "/m",
    paused: true,
    incoming: true,
  });
  assert.deepEqual(values(args, "-object"), [
    "memory-backend-file,id=memory,size=134217728,share=on,mem-path=/m",
  ]);
  assert.deepEqual(args.slice(-4), ["-no-reboot", "-S", "-incoming", "defer"]);
});
