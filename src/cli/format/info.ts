import type { SystemInfo } from "@docker/node-sdk";
import { bytesSize } from "./units.ts";

/** The server's part of `info`. */
export function showServerInfo(info: SystemInfo): string {
  const lines: string[] = [];
  const always = (name: string, value: unknown) => lines.push(` ${name}: ${value ?? ""}`);
  const ifAny = (name: string, value: unknown) => value && always(name, value);
  const list = (name: string, values: readonly string[] | undefined | null) => {
    if (values?.length) lines.push(` ${name}:`, ...values.map((value) => `  ${value}`));
  };
  always("Containers", info.Containers);
  always(" Running", info.ContainersRunning);
  always(" Paused", info.ContainersPaused);
  always(" Stopped", info.ContainersStopped);
  always("Images", info.Images);
  ifAny("Server Version", info.ServerVersion);
  ifAny("Storage Driver", info.Driver);
  for (const [key, value] of info.DriverStatus ?? []) always(` ${key}`, value);
  ifAny("Logging Driver", info.LoggingDriver);
  ifAny("Cgroup Driver", info.CgroupDriver);
  ifAny("Cgroup Version", info.CgroupVersion);
  lines.push(" Plugins:");
  always(" Volume", (info.Plugins?.Volume ?? []).join(" "));
  always(" Network", (info.Plugins?.Network ?? []).join(" "));
  if (info.Plugins?.Authorization?.length) always(" Authorization", info.Plugins.Authorization.join(" "));
  always(" Log", (info.Plugins?.Log ?? []).join(" "));
  list("CDI spec directories", info.CDISpecDirs);
  always("Swarm", info.Swarm?.LocalNodeState);
  const runtimes = Object.keys(info.Runtimes ?? {}).sort();
  if (runtimes.length > 0) {
    always("Runtimes", runtimes.join(" "));
    always("Default Runtime", info.DefaultRuntime);
  }
  if (info.OSType === "linux") {
    always("Init Binary", info.InitBinary);
    always("containerd version", info.ContainerdCommit?.ID);
    always("runc version", info.RuncCommit?.ID);
    always("init version", info.InitCommit?.ID);
    list("Security Options", (info.SecurityOptions ?? []).flatMap(showSecurityOption));
  }
  ifAny("Kernel Version", info.KernelVersion);
  ifAny("Operating System", info.OperatingSystem);
  ifAny("OSType", info.OSType);
  ifAny("Architecture", info.Architecture);
  always("CPUs", info.NCPU);
  always("Total Memory", bytesSize(Number(info.MemTotal ?? 0)));
  ifAny("Name", info.Name);
  ifAny("ID", info.ID);
  always("Docker Root Dir", info.DockerRootDir);
  always("Debug Mode", info.Debug ?? false);
  if (info.Debug) {
    always(" File Descriptors", info.NFd);
    always(" Goroutines", info.NGoroutines);
    always(" System Time", info.SystemTime);
    always(" EventsListeners", info.NEventsListener);
  }
  ifAny("HTTP Proxy", info.HttpProxy);
  ifAny("HTTPS Proxy", info.HttpsProxy);
  ifAny("No Proxy", info.NoProxy);
  list("Labels", info.Labels);
  always("Experimental", info.ExperimentalBuild ?? false);
  addRegistries(info, list);
  always("Live Restore Enabled", info.LiveRestoreEnabled ?? false);
  if (info.ProductLicense) always("Product License", info.ProductLicense);
  list(
    "Default Address Pools",
    info.DefaultAddressPools?.map(({ Base, Size }) => ` Base: ${Base}, Size: ${Size}`),
  );
  return `${lines.join("\n")}\n\n`;
}

function addRegistries(
  info: SystemInfo,
  list: (name: string, values?: readonly string[] | null) => void,
): void {
  const { IndexConfigs = {}, InsecureRegistryCIDRs, Mirrors } = info.RegistryConfig ?? {};
  const insecure = Object.values(IndexConfigs)
    .filter((index) => !index?.Secure)
    .map((index) => index?.Name ?? "");
  list("Insecure Registries", [...insecure, ...(InsecureRegistryCIDRs ?? [])]);
  list("Registry Mirrors", Mirrors);
}

/** `name=seccomp,profile=builtin` as its name and, indented, its profile. */
function showSecurityOption(option: string): string[] {
  const fields = option.split(",").map((field) => field.split("="));
  const value = (key: string) => fields.find(([name]) => name === key)?.[1];
  const profile = value("profile");
  return [value("name") ?? option, ...(profile ? [` Profile: ${profile}`] : [])];
}
