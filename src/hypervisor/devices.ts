/** A virtual disk. */
export interface Disk {
  kind: "disk";
  /** Names it to QEMU's control protocol; letters, digits and `-`. */
  id: string;
  file: string;
  format: "raw" | "qcow2";
  readonly?: boolean;
  /** What the guest finds it by: /sys/block/vdX/serial. At most 20 bytes. */
  serial?: string;
}

/** A network device on a tap. */
export interface NetworkDevice {
  kind: "network";
  id: string;
  /** The tap's descriptor as QEMU inherits it. */
  fd: number;
  mac: string;
  /** The slot that it is put into while the guest runs: until then only its other end is there. */
  slot?: string;
}

/** A directory of the host, served by a virtiofsd that listens at `socket`. Keeps a machine from being saved. */
export interface Share {
  kind: "share";
  id: string;
  /** What the guest mounts it by. */
  tag: string;
  socket: string;
  /** As with a network device. */
  slot?: string;
}

/**
 * A socket of QEMU's on the host: a path that it listens at, a descriptor of a listening socket that it
 * inherits, or of a connected one.
 */
export type SocketPlace = string | { listener: number } | { connection: number };

/** A byte stream to the guest (/dev/virtio-ports/NAME). */
export interface Port {
  kind: "port";
  name: string;
  socket: SocketPlace;
}

/** Takes memory from the guest and gives it back; free pages that the guest reports go back to the host. */
export interface Balloon {
  kind: "balloon";
}

/** Random numbers of the host. */
export interface RandomSource {
  kind: "rng";
}

/** Tells the hypervisor when the guest's kernel panics, which then ends with status 1. */
export interface PanicDevice {
  kind: "panic";
}

/** An empty PCI slot, into which a device may be put while the guest runs (device_add with `bus: id`). */
export interface Slot {
  kind: "slot";
  id: string;
}

export type Device = Disk | NetworkDevice | Share | Port | Balloon | RandomSource | PanicDevice | Slot;

/** QEMU's way to have a comma in a value. */
export const escaped = (value: string): string => value.replaceAll(",", ",,");

/** An option's value: "type,key=value,…". */
export function option(type: string, fields: Record<string, string | number | undefined>): string {
  const pairs = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${escaped(String(value))}`],
  );
  return [type, ...pairs].filter(Boolean).join(",");
}

/** QEMU's arguments for the devices, in their order: a guest numbers disks and network devices so. */
export function deviceArguments(devices: readonly Device[]): string[] {
  const ports = devices.filter((device) => device.kind === "port");
  const controller =
    ports.length > 0 ? add("virtio-serial-pci", { id: "ports", max_ports: ports.length + 1 }) : [];
  return [...controller, ...devices.flatMap(one)];
}

const add = (type: string, fields: Record<string, string | number | undefined>): string[] => [
  "-device",
  option(type, fields),
];

/** What the guest sees of a device that may be put into a slot. */
function card(device: NetworkDevice | Share): { driver: string; fields: Record<string, string> } {
  if (device.kind === "share")
    return { driver: "vhost-user-fs-pci", fields: { chardev: device.id, tag: device.tag } };
  // Without a program to boot from the network.
  return { driver: "virtio-net-pci", fields: { netdev: device.id, mac: device.mac, romfile: "" } };
}

function unlessPlugged(device: NetworkDevice | Share): string[] {
  const { driver, fields } = card(device);
  return device.slot === undefined ? add(driver, fields) : [];
}

/** The arguments of device_add that put a device into its slot. */
export function plugArguments(device: NetworkDevice | Share): Record<string, string> {
  const { driver, fields } = card(device);
  return { driver, id: `${device.id}-card`, bus: device.slot ?? "", ...fields };
}

function one(device: Device, index: number): string[] {
  switch (device.kind) {
    case "disk":
      return disk(device);
    case "network":
      return ["-netdev", option("tap", { id: device.id, fd: device.fd }), ...unlessPlugged(device)];
    case "share":
      return ["-chardev", option("socket", { id: device.id, path: device.socket }), ...unlessPlugged(device)];
    case "port":
      return [
        "-chardev",
        socket(`port-${device.name}`, device.socket),
        ...add("virtserialport", { bus: "ports.0", chardev: `port-${device.name}`, name: device.name }),
      ];
    case "balloon":
      return add("virtio-balloon-pci", { id: "balloon", "free-page-reporting": "on" });
    case "rng":
      return [
        "-object",
        "rng-random,id=random,filename=/dev/urandom",
        ...add("virtio-rng-pci", { rng: "random" }),
      ];
    case "panic":
      return [...add("pvpanic-pci", {}), "-action", "panic=exit-failure"];
    case "slot":
      // What is put into it has power at once, and shows when the guest looks.
      return add("pcie-root-port", { id: device.id, chassis: index + 1, power_controller_present: "off" });
  }
}

function disk({ id, file, format, readonly, serial }: Disk): string[] {
  const common = { "read-only": readonly ? "on" : undefined, discard: "unmap" };
  return [
    "-blockdev",
    option("", { driver: "file", "node-name": `${id}-file`, filename: file, ...common }),
    "-blockdev",
    option("", { driver: format, "node-name": id, file: `${id}-file`, ...common }),
    ...add("virtio-blk-pci", { id: `${id}-device`, drive: id, serial }),
  ];
}

/** A socket character device; one that QEMU listens at goes on without anyone connected. */
export function socket(id: string, place: SocketPlace): string {
  if (typeof place === "object" && "connection" in place)
    return option("socket", { id, fd: place.connection });
  const where = typeof place === "string" ? { path: place } : { fd: place.listener };
  return option("socket", { id, ...where, server: "on", wait: "off" });
}
