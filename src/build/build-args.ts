/** Whether a build argument that is a switch is on. */
export const isOn = (value: string | undefined): boolean => /^(1|t|true)$/i.test(value ?? "");
