import type { ContainerCreateRequest, HealthConfig, HostConfig, ThrottleDevice } from "@docker/node-sdk";
import { CliError } from "../errors.ts";
import type { Values } from "../flags/flag.ts";
import { terminalSize } from "../io/terminal-size.ts";
import { parseDevice } from "./devices.ts";
import { collectEnv, collectLabels, toMap } from "./env.ts";
import type { containerFlags } from "./flags.ts";
import { parseMount, parseVolumes } from "./mounts.ts";
import { parseNetworks } from "./networks.ts";
import { parsePorts } from "./ports.ts";
import { parseRestartPolicy } from "./restart.ts";
import { parseSecurityOptions } from "./security.ts";

export type ContainerValues = Values<typeof containerFlags>;

/** The request that `run` and `create` send for their flags, the image and its command. Throws `CliError`. */
export function createRequest(
  flags: ContainerValues,
  changed: ReadonlySet<string>,
  image: string,
  cmd: string[],
): ContainerCreateRequest {
  const { interactive, tty } = flags;
  if (
    flags["mac-address"] &&
    !/^[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}$/i.test(flags["mac-address"])
  )
    throw new CliError(`${flags["mac-address"]} is not a valid mac address`);
  const swappiness = flags["memory-swappiness"];
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100))
    throw new CliError(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  const { binds, volumes } = parseVolumes(flags.volume);
  const ports = parsePorts(flags.publish, flags.expose);
  const devices = flags.device.flatMap(parseDevice);
  const env = collectEnv(flags["env-file"], flags.env);
  const labels = collectLabels(flags["label-file"], flags.label);
  checkModes(flags);
  const all = flags.attach.length === 0;
  const attachStdin = interactive || flags.attach.includes("stdin");
  const hostConfig = makeHostConfig(flags, changed, devices);
  const networks = parseNetworks(flags.network, {
    aliases: flags["network-alias"],
    links: flags.link,
    ipv4: flags.ip,
    ipv6: flags.ip6,
    linkLocal: flags["link-local-ip"],
    mac: flags["mac-address"],
  });
  return {
    Hostname: flags.hostname,
    Domainname: flags.domainname,
    User: flags.user,
    AttachStdin: attachStdin,
    AttachStdout: all || flags.attach.includes("stdout"),
    AttachStderr: all || flags.attach.includes("stderr"),
    ExposedPorts: ports.exposed,
    Tty: tty,
    OpenStdin: interactive,
    StdinOnce: interactive && attachStdin,
    Env: env,
    Cmd: cmd.length > 0 ? cmd : undefined,
    Healthcheck: makeHealthcheck(flags),
    Image: image,
    Volumes: volumes,
    WorkingDir: flags.workdir,
    // `--entrypoint=` takes the image's away.
    Entrypoint: flags.entrypoint ? [flags.entrypoint] : changed.has("entrypoint") ? [""] : undefined,
    Labels: labels,
    StopSignal: changed.has("stop-signal") ? flags["stop-signal"] : undefined,
    StopTimeout: changed.has("stop-timeout") ? flags["stop-timeout"] : undefined,
    HostConfig: {
      ...hostConfig,
      Binds: binds,
      PortBindings: ports.bindings,
      NetworkMode: networks.mode,
    },
    NetworkingConfig: { EndpointsConfig: networks.endpoints },
  };
}

function checkModes(flags: ContainerValues): void {
  const container = /^container:.+/;
  const fits = (mode: string, words: string[], shared = true) =>
    mode === "" || words.includes(mode) || (shared && container.test(mode));
  if (!fits(flags.pid, ["host"])) throw new CliError("--pid: invalid PID mode");
  if (!fits(flags.uts, ["host"], false)) throw new CliError("--uts: invalid UTS mode");
  if (!fits(flags.userns, ["host"], false)) throw new CliError("--userns: invalid USER mode");
  if (!fits(flags.cgroupns, ["host", "private"], false))
    throw new CliError("--cgroupns: invalid CGROUP mode");
}

function makeHostConfig(
  flags: ContainerValues,
  changed: ReadonlySet<string>,
  devices: HostConfig["Devices"],
): HostConfig {
  const restart = parseRestartPolicy(flags.restart);
  if (flags["log-driver"] === "none" && flags["log-opt"].length > 0)
    throw new CliError("invalid logging opts for driver none");
  const security = parseSecurityOptions(flags["security-opt"]);
  if (flags["storage-opt"].some((option) => !option.includes("=")))
    throw new CliError("invalid storage option");
  if (flags.rm && restart.Name !== "no" && restart.Name !== "")
    throw new CliError("conflicting options: cannot specify both --restart and --rm");
  const size = terminalSize();
  return {
    ContainerIDFile: flags.cidfile,
    LogConfig: { Type: flags["log-driver"] as "json-file", Config: toMap(flags["log-opt"]) },
    RestartPolicy: restart,
    AutoRemove: flags.rm,
    VolumeDriver: flags["volume-driver"],
    VolumesFrom: flags["volumes-from"],
    ConsoleSize: size ? [size.h, size.w] : [0, 0],
    Annotations: changed.has("annotation") ? flags.annotation : undefined,
    CapAdd: flags["cap-add"],
    CapDrop: flags["cap-drop"],
    CgroupnsMode: flags.cgroupns as "private",
    Dns: flags.dns,
    DnsOptions: flags["dns-option"],
    DnsSearch: flags["dns-search"],
    ExtraHosts: flags["add-host"],
    GroupAdd: flags["group-add"],
    IpcMode: flags.ipc,
    Links: flags.link,
    OomScoreAdj: flags["oom-score-adj"],
    PidMode: flags.pid,
    Privileged: flags.privileged,
    PublishAllPorts: flags["publish-all"],
    ReadonlyRootfs: flags["read-only"],
    SecurityOpt: security.options,
    StorageOpt: flags["storage-opt"].length > 0 ? toMap(flags["storage-opt"]) : undefined,
    Tmpfs: flags.tmpfs.length > 0 ? Object.fromEntries(flags.tmpfs.map(splitTmpfs)) : undefined,
    UTSMode: flags.uts,
    UsernsMode: flags.userns,
    ShmSize: flags["shm-size"],
    Sysctls: flags.sysctl,
    Runtime: flags.runtime,
    Isolation: flags.isolation as "default",
    Mounts: flags.mount.length > 0 ? flags.mount.map(parseMount) : undefined,
    MaskedPaths: security.maskedPaths,
    ReadonlyPaths: security.readonlyPaths,
    Init: changed.has("init") ? flags.init : undefined,
    ...makeResources(flags),
    Devices: devices,
  };
}

function makeResources(flags: ContainerValues): HostConfig {
  return {
    CgroupParent: flags["cgroup-parent"],
    CpuShares: flags["cpu-shares"],
    Memory: flags.memory,
    MemoryReservation: flags["memory-reservation"],
    MemorySwap: flags["memory-swap"],
    MemorySwappiness: flags["memory-swappiness"],
    OomKillDisable: flags["oom-kill-disable"],
    NanoCpus: flags.cpus,
    CpuPeriod: flags["cpu-period"],
    CpuQuota: flags["cpu-quota"],
    CpuRealtimePeriod: flags["cpu-rt-period"],
    CpuRealtimeRuntime: flags["cpu-rt-runtime"],
    CpusetCpus: flags["cpuset-cpus"],
    CpusetMems: flags["cpuset-mems"],
    PidsLimit: flags["pids-limit"],
    BlkioWeight: flags["blkio-weight"],
    BlkioWeightDevice: flags["blkio-weight-device"].map((spec) => {
      const { Path, Rate } = splitRate(spec);
      return { Path, Weight: Rate };
    }),
    BlkioDeviceReadBps: flags["device-read-bps"].map(splitRate),
    BlkioDeviceReadIOps: flags["device-read-iops"].map(splitRate),
    BlkioDeviceWriteBps: flags["device-write-bps"].map(splitRate),
    BlkioDeviceWriteIOps: flags["device-write-iops"].map(splitRate),
    DeviceCgroupRules: flags["device-cgroup-rule"].length > 0 ? flags["device-cgroup-rule"] : undefined,
    Ulimits: flags.ulimit.map((spec) => {
      const [Name = "", limits = ""] = spec.split("=");
      const [Soft = 0, Hard = Soft] = limits.split(":").map(Number);
      return { Name, Soft, Hard };
    }),
  };
}

function makeHealthcheck(flags: ContainerValues): HealthConfig | undefined {
  const settings = {
    Interval: flags["health-interval"],
    Timeout: flags["health-timeout"],
    StartPeriod: flags["health-start-period"],
    StartInterval: flags["health-start-interval"],
    Retries: flags["health-retries"],
  };
  const asked = flags["health-cmd"] !== "" || Object.values(settings).some((value) => value !== 0);
  if (flags["no-healthcheck"]) {
    if (asked) throw new CliError("--no-healthcheck conflicts with --health-* options");
    return { Test: ["NONE"] };
  }
  if (!asked) return undefined;
  for (const name of ["interval", "timeout", "retries", "start-period", "start-interval"] as const)
    if (flags[`health-${name}`] < 0) throw new CliError(`--health-${name} cannot be negative`);
  const test = flags["health-cmd"] ? { Test: ["CMD-SHELL", flags["health-cmd"]] } : {};
  return { ...test, ...settings };
}

function splitTmpfs(spec: string): [string, string] {
  const colon = spec.indexOf(":");
  return colon < 0 ? [spec, ""] : [spec.slice(0, colon), spec.slice(colon + 1)];
}

function splitRate(spec: string): Required<ThrottleDevice> {
  const colon = spec.lastIndexOf(":");
  return { Path: spec.slice(0, colon), Rate: Number(spec.slice(colon + 1)) };
}
