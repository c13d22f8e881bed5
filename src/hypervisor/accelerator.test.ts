import assert from "node:assert/strict";
import { test } from "node:test";
import { type AcceleratorHost, chooseAccelerator, hasVirtualization, parseTscKhz } from "./accelerator.ts";

const linux: AcceleratorHost = { platform: "linux", kvm: false, tscKhz: 2_596_125 };

test("each host gets its best accelerator", () => {
  const of = (host: AcceleratorHost) => {
    const { name, type } = chooseAccelerator(host);
    return `${name}: ${type}`;
  };
  assert.equal(of({ ...linux, kvm: true }), "kvm: hardware-backed");
  assert.equal(of(linux), "tcg: type 2");
  assert.equal(of({ ...linux, platform: "darwin" }), "hvf: hardware-backed");
  assert.equal(of({ ...linux, platform: "win32" }), "whpx: hardware-backed");
  assert.equal(of({ ...linux, platform: "freebsd", kvm: true }), "tcg: type 2");
});

test("an emulated guest is told the counter's frequency", () => {
  assert.deepEqual(chooseAccelerator(linux).kernelArguments, [
    "tsc_early_khz=2596125",
    "tsc=reliable",
    "no_timer_check",
  ]);
  assert.deepEqual(chooseAccelerator({ ...linux, tscKhz: null }).kernelArguments, ["no_timer_check"]);
  assert.deepEqual(chooseAccelerator({ ...linux, kvm: true }).kernelArguments, []);
});

test("the counter's frequency comes from bogomips, not from the core's speed of the moment", () => {
  const info = "cpu MHz\t\t: 1200.000\nflags\t\t: fpu tsc constant_tsc\nbogomips\t: 5192.25\n";
  assert.equal(parseTscKhz(info), 2_596_125);
  assert.equal(parseTscKhz(info.replace(/bogomips.*\n/, "")), 1_200_000);
  assert.equal(parseTscKhz(info.replace("constant_tsc", "")), null);
  assert.equal(parseTscKhz(""), null);
});

test("KVM counts where the processor virtualizes", () => {
  assert.equal(hasVirtualization("flags\t\t: fpu svm npt\nvmx flags : ept\n"), true);
  assert.equal(hasVirtualization("flags\t\t: fpu vmx\n"), true);
  assert.equal(hasVirtualization("flags\t\t: fpu hypervisor vmmcall\nvmx flags\t: vmx\n"), false);
});
