import { invalid } from "../../lib/errors.ts";
import { type CdiDevice, findDevices, unreadable } from "../cdi.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { expandAt } from "../plan.ts";
import type { StepContext } from "../stage-build.ts";

/** The devices that a RUN asks for; those that are not there and not required are told and left out. */
export function devicesOf(
  { session, state, info }: StepContext,
  run: Instruction & { kind: "run" },
): CdiDevice[] {
  const { request, cdiDirectories, emit } = session;
  return run.devices.flatMap(({ name: written, required }) => {
    const name = expandAt(run.location, written, state.lookup, session.plan.dockerfile.escapeToken);
    const found = findDevices(cdiDirectories, name);
    if (found.length === 0) {
      const [file] = unreadable(cdiDirectories);
      const hint = file === undefined ? "" : `; ${file} is not read: specifications are to be in JSON`;
      if (required) throw invalid(`required device ${JSON.stringify(name)} is not registered${hint}`);
      emit({
        kind: "trouble",
        message: `${info.text}: the device ${name} is not registered, and left out${hint}`,
      });
    }
    for (const device of found) checkAllowed(device, name, request.allow);
    return found;
  });
}

function checkAllowed({ name, autoAllow }: CdiDevice, asked: string, allow: readonly string[] = []): void {
  const kind = name.split("=", 1)[0];
  const names = ["device", ...[name, asked, kind].map((known) => `device=${known}`)];
  if (!autoAllow && !names.some((entry) => allow.includes(entry)))
    throw invalid(`the device ${name} is not allowed: build with --allow device=${name} to allow it`);
}
