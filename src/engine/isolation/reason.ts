const reasonLines = 4;

/** A guest may write anything to its console. */
const printable = (line: string): string =>
  line
    .replace(/[^ -~]/g, "")
    .replace(/^\[ *\d+\.\d+\] /, "")
    .trim();

/** What every boot says on this kind of machine, and what QEMU's end makes virtiofsd say. */
const usual = /^PCI: Fatal: No config space|^virtio_loop: /;
const isTelling = (line: string): boolean => line !== "" && !usual.test(line);

/** The last things that a machine's programs and its console said. */
export function reasonIn(text: string): string {
  const lines = text
    .split(/[\r\n]+/)
    .map(printable)
    .filter(isTelling);
  const panic = lines.find((line) => line.startsWith("Kernel panic"));
  return (panic ? [panic, ...lines.slice(-1)] : lines.slice(-reasonLines)).join("; ");
}
