import { structFields } from "./template/print.ts";

type Field = readonly [name: string, zero: unknown];

const texts = (...names: string[]): Field[] => names.map((name) => [name, ""]);

const flags = (...names: string[]): Field[] => names.map((name) => [name, false]);

const binding = texts("HostIp", "HostPort");

/** Objects that Go prints as structs, by the field they are in. Those with pointers in them nobody prints whole. */
const objects: Record<string, readonly Field[]> = {
  ConfigFrom: texts("Network"),
  GraphDriver: [["Data", {}], ...texts("Name")],
  IPAM: [...texts("Driver"), ["Options", {}], ["Config", []]],
  LogConfig: [...texts("Type"), ["Config", {}]],
  RestartPolicy: [...texts("Name"), ["MaximumRetryCount", 0]],
  RootFS: [...texts("Type"), ["Layers", []]],
  State: [
    ...texts("Status"),
    ...flags("Running", "Paused", "Restarting", "OOMKilled", "Dead"),
    ["Pid", 0],
    ["ExitCode", 0],
    ...texts("Error", "StartedAt", "FinishedAt"),
    ["Health", null],
  ],
};

/** The same for the elements of lists and the values of maps. */
const elements: Record<string, readonly Field[]> = {
  Containers: texts("Name", "EndpointID", "MacAddress", "IPv4Address", "IPv6Address"),
  ExposedPorts: [],
  Volumes: [],
};

const mount: readonly Field[] = [
  ...texts("Type", "Name", "Source", "Destination", "Driver", "Mode"),
  ...flags("RW"),
  ...texts("Propagation"),
];
const pool: readonly Field[] = [...texts("Subnet", "IPRange", "Gateway"), ["AuxiliaryAddresses", {}]];

/** Marks what a template prints as Go prints a struct: `{no 0}`, not `map[Name:no …]`. */
export function markStructs(value: unknown): unknown {
  visit(value, "", "");
  return value;
}

function visit(value: unknown, name: string, parent: string): void {
  if (typeof value !== "object" || value === null) return;
  const fields = objects[name];
  if (fields && !Array.isArray(value)) mark(value, fields);
  const each = elementsOf(name, parent);
  for (const [key, item] of Object.entries(value)) {
    if (each)
      for (const element of Array.isArray(item) ? item : [item]) if (isObject(element)) mark(element, each);
    visit(item, Array.isArray(value) ? "" : key, name);
  }
}

function elementsOf(name: string, parent: string): readonly Field[] | undefined {
  if (name === "Mounts" && parent === "") return mount;
  if (name === "PortBindings" || name === "Ports") return binding;
  if (name === "Config" && parent === "IPAM") return pool;
  return elements[name];
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

function mark(value: object, fields: readonly Field[]): void {
  Object.defineProperty(value, structFields, { value: fields });
}
