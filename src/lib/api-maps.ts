/** Fields of the API's objects that hold maps with keys of the user's or the machine's choice. */
export const mapFields: ReadonlySet<string> = new Set([
  "Annotations",
  "Attributes",
  "Containers",
  "Data",
  "DriverOpts",
  "ExposedPorts",
  "Labels",
  "Networks",
  "Options",
  "PortBindings",
  "Ports",
  "StorageOpt",
  "Sysctls",
  "Tmpfs",
  "Volumes",
]);
