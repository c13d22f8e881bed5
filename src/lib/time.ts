/** Docker's "never": Go's zero time. */
export const ZERO_TIME = "0001-01-01T00:00:00Z";

const originNanos = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

/** Nanoseconds since the Unix epoch; never goes back while the process lives. */
export function nowNanos(): bigint {
  return originNanos + process.hrtime.bigint();
}

/** RFC 3339 in UTC with nine decimals, as Go's RFC3339Nano prints a time read from a clock. */
export function formatNanos(nanos: bigint): string {
  const seconds = nanos / 1_000_000_000n;
  const fraction = (nanos % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return fraction === "" ? `${whole}Z` : `${whole}.${fraction}Z`;
}

/** The present as an RFC 3339 string with nanoseconds. */
export const timestamp = (): string => formatNanos(nowNanos());
