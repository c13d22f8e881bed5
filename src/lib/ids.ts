import { randomBytes } from "node:crypto";

/** A fresh 64-digit hexadecimal id, Docker's form; never all decimal in its first 12 digits. */
export function newId(): string {
  for (;;) {
    const id = randomBytes(32).toString("hex");
    // A short id that reads as a number would be taken for a host name of digits only.
    if (!/^\d{12}/.test(id)) return id;
  }
}

export const shortId = (id: string): string => id.slice(0, 12);
