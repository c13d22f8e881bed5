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
}

/** A directory of the host, served by a virtiofsd that listens at `socket`. Keeps a machine from being saved. */
export interface Share {
  kind: "share";
  id: string;
  /** What the guest mounts it by. */
  tag: string;
  socket: string;
}

/** A byte stream to the guest (/dev/virtio-ports/NAME), a socket on the host that QEMU listens at. */
export interface Port {
  kind: "port";
  name: string;
  socket: string;
}

/** Takes memory from the guest and gives it back; free pages that the guest reports go back to the host. */
export interface Balloon {
  kind: "balloon";
}

/** Random numbers of the host. */
export interface RandomSource {
  kind: "rng";
}

export type Device = Disk | NetworkDevice | Share | Port | Balloon | RandomSource;

/** How virtio devices meet the guest: microvm has them at fixed addresses, q35 on PCI. */
export type Bus = "mmio" | "pci";

/** QEMU's way to have a comma in a value. */
export const escaped = (value: string): string => value.replaceAll(",", ",,");

/** An option's value: "type,key=value,…". */
export function option(type: string, fields: Record<string, string | number | undefined>): string {
  const pairs = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${escaped(String(value))}`],
  );
  return [type, ...pairs].filter(Boolean).join(",");
}

const suffixes: Record<Bus, string> = { mmio: "device", pci: "pci" };

/** QEMU's arguments for the devices, in their order: a guest numbers disks and network devices so. */
export function deviceArguments(devices: readonly Device[], bus: Bus): string[] {
  const virtio = (type: string, fields: Record<string, string | number | undefined>): string[] => [
    "-device",
    option(`virtio-${type}-${suffixes[bus]}`, fields),
  ];
  const ports = devices.filter((device) => device.kind === "port");
  const controller = ports.length > 0 ? virtio("serial", { id: "ports", max_ports: ports.length + 1 }) : [];
  return [...controller, ...devices.flatMap((device) => one(device, bus, virtio))];
}

type Virtio = (type: string, fields: Record<string, string | number | undefined>) => string[];

function one(device: Device, bus: Bus, virtio: Virtio): string[] {
  switch (device.kind) {
    case "disk":
      return disk(device, virtio);
    case "network":
      return [
        ...["-netdev", option("tap", { id: device.id, fd: device.fd })],
        // Without a boot program of its own, which PCI cards have.
        ...virtio("net", { netdev: device.id, mac: device.mac, romfile: bus === "pci" ? "" : undefined }),
      ];
    case "share":
      return [
        ...["-chardev", option("socket", { id: device.id, path: device.socket })],
        ...["-device", option(`vhost-user-fs-${suffixes[bus]}`, { chardev: device.id, tag: device.tag })],
      ];
    case "port":
      return [
        ...["-chardev", socket(`port-${device.name}`, device.socket)],
        ...["-device", option("virtserialport", { chardev: `port-${device.name}`, name: device.name })],
      ];
    case "balloon":
      return virtio("balloon", { id: "balloon", "free-page-reporting": "on" });
    case "rng":
      return ["-object", "rng-random,id=random,filename=/dev/urandom", ...virtio("rng", { rng: "random" })];
  }
}

function disk({ id, file, format, readonly, serial }: Disk, virtio: Virtio): string[] {
  const common = { "read-only": readonly ? "on" : undefined, discard: "unmap" };
  return [
    "-blockdev",
    option("", { driver: "file", "node-name": `${id}-file`, filename: file, ...common }),
    "-blockdev",
    option("", { driver: format, "node-name": id, file: `${id}-file`, ...common }),
    ...virtio("blk", { id: `${id}-device`, drive: id, serial }),
  ];
}

/** A socket that QEMU listens at and goes on without anyone connected. */
export const socket = (id: string, path: string): string =>
  option("socket", { id, path, server: "on", wait: "off" });
