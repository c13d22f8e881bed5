/** What the record of a container keeps of its virtual machine while it runs. */
export interface MachineState {
  /** Of the control channel. */
  token: string;
  /** The container's process in the guest; 0 before it was started. */
  pid: number;
  startTime: number;
  /** What it was started with: more it cannot get while it runs. */
  memory: number;
  cpus: number;
}
