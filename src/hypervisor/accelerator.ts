import { accessSync, constants, readFileSync } from "node:fs";
import { platform } from "node:os";

/**
 * What carries out a guest's instructions. `hardware-backed`: the processor does, and the kernel below is
 * the hypervisor; `type 2`: an ordinary program of the host does.
 */
export type HypervisorType = "hardware-backed" | "type 2";

export type AcceleratorName = "kvm" | "hvf" | "whpx" | "tcg";

export interface Accelerator {
  readonly name: AcceleratorName;
  readonly type: HypervisorType;
  /** For people: what it is. */
  readonly description: string;
  /** The value of QEMU's -accel. */
  readonly argument: string;
  /** The value of QEMU's -cpu. */
  readonly cpu: string;
  /** Words for the guest kernel's command line without which it would not boot reliably. */
  readonly kernelArguments: readonly string[];
}

/** What of the host decides about accelerators. */
export interface AcceleratorHost {
  platform: NodeJS.Platform;
  /** /dev/kvm can be opened, and the processor has the instructions that it stands on. */
  kvm: boolean;
  /** Frequency of the processor's counter in kHz, or null where nothing tells. */
  tscKhz: number | null;
}

interface Row {
  name: AcceleratorName;
  type: HypervisorType;
  description: string;
  argument: string;
  cpu: string;
  usable(host: AcceleratorHost): boolean;
  kernelArguments(host: AcceleratorHost): readonly string[];
}

const none = (): readonly string[] => [];

/** The first usable one is chosen. */
const rows: readonly Row[] = [
  {
    name: "kvm",
    type: "hardware-backed",
    description: "the Linux kernel's hypervisor",
    argument: "kvm",
    cpu: "host",
    usable: (host) => host.platform === "linux" && host.kvm,
    kernelArguments: none,
  },
  {
    name: "hvf",
    type: "hardware-backed",
    description: "macOS's Hypervisor framework",
    argument: "hvf",
    cpu: "host",
    usable: (host) => host.platform === "darwin",
    kernelArguments: none,
  },
  {
    name: "whpx",
    type: "hardware-backed",
    description: "Hyper-V, through the Windows Hypervisor Platform",
    argument: "whpx",
    cpu: "max",
    usable: (host) => host.platform === "win32",
    kernelArguments: none,
  },
  {
    name: "tcg",
    type: "type 2",
    description: "QEMU's software emulation",
    argument: "tcg,thread=multi",
    cpu: "max",
    usable: () => true,
    kernelArguments: ({ tscKhz }) => tscArguments(tscKhz),
  },
];

/**
 * An emulated guest sees the host's own counter. Told its frequency the kernel does not measure it, against
 * timers that under load tick too late: a kernel that measures hangs in more than half of its boots.
 */
function tscArguments(tscKhz: number | null): readonly string[] {
  return tscKhz === null ? ["no_timer_check"] : [`tsc_early_khz=${tscKhz}`, "tsc=reliable", "no_timer_check"];
}

/** The best accelerator for a host; software emulation always is one. */
export function chooseAccelerator(host: AcceleratorHost = detectHost()): Accelerator {
  const row = rows.find(({ usable }) => usable(host)) ?? rows[rows.length - 1];
  if (!row) throw new RangeError("the table of accelerators is empty");
  const { name, type, description, argument, cpu } = row;
  return { name, type, description, argument, cpu, kernelArguments: row.kernelArguments(host) };
}

/** What this host offers. */
export function detectHost(): AcceleratorHost {
  const cpuinfo = platform() === "linux" ? readFileSync("/proc/cpuinfo", "latin1") : "";
  return {
    platform: platform(),
    kvm: hasVirtualization(cpuinfo) && isReadWritable("/dev/kvm"),
    tscKhz: parseTscKhz(cpuinfo),
  };
}

/**
 * VT-x or AMD-V. A /dev/kvm without them, as some clouds offer inside their own virtual machines, runs only kernels
 * that are made for it; others hang there before their first word.
 */
export function hasVirtualization(cpuinfo: string): boolean {
  return /^flags\s*:.*\b(vmx|svm)\b/m.test(cpuinfo);
}

function isReadWritable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The frequency of the time stamp counter by /proc/cpuinfo. The kernel derives "bogomips" from the counter's
 * calibrated frequency, while "cpu MHz" is how fast the core happens to run.
 */
export function parseTscKhz(cpuinfo: string): number | null {
  if (!/^flags\s*:.*\bconstant_tsc\b/m.test(cpuinfo)) return null;
  const bogomips = Number(/^bogomips\s*:\s*([\d.]+)/m.exec(cpuinfo)?.[1]);
  if (bogomips > 0) return Math.round(bogomips * 500);
  const mhz = Number(/^cpu MHz\s*:\s*([\d.]+)/m.exec(cpuinfo)?.[1]);
  return mhz > 0 ? Math.round(mhz * 1000) : null;
}
