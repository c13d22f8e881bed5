import { BerthError, conflict, invalid } from "../lib/errors.ts";
import { type Address, contains, formatAddress, parseAddress, parseCidr, type Range } from "./subnet.ts";
import type { Subnet } from "./types.ts";

/** Hands out the addresses of one subnet. Freed ones come round again last, after neighbours forgot them. */
export class AddressAllocator {
  readonly subnet: Range;
  readonly #pool: Range;
  readonly #used = new Set<bigint>();
  #next: bigint;

  constructor({ subnet, gateway, ipRange, auxAddresses = {} }: Subnet) {
    this.subnet = parseCidr(subnet);
    this.#pool = ipRange ? parseCidr(ipRange) : this.subnet;
    this.#next = this.#pool.first;
    for (const reserved of [gateway, ...Object.values(auxAddresses)]) {
      if (reserved) this.#used.add(parseAddress(reserved).value);
    }
    this.#used.add(this.subnet.first);
    // IPv6 has no broadcast address.
    if (this.subnet.version === 4) this.#used.add(this.subnet.last);
  }

  /** The next free address. Throws dockerd's text when all are taken. */
  take(): string {
    const { first, last } = this.#pool;
    for (let left = last - first + 1n; left > 0n; left--) {
      const value = this.#next;
      this.#advance();
      if (this.#used.has(value)) continue;
      this.#used.add(value);
      return formatAddress({ version: this.subnet.version, value });
    }
    throw conflict(`no available IPv${this.subnet.version} addresses on this network's address pools`);
  }

  /** One address that was asked for. */
  claim(text: string): void {
    const address = this.check(text);
    if (this.#used.has(address.value)) throw new BerthError("FORBIDDEN", "Address already in use");
    this.#used.add(address.value);
  }

  /** One that somebody has already. */
  adopt(text: string): void {
    this.#used.add(parseAddress(text).value);
  }

  release(text: string): void {
    this.#used.delete(parseAddress(text).value);
  }

  /** Throws when the address is not of this subnet. */
  check(text: string): Address {
    const address = parseAddress(text);
    if (!contains(this.subnet, address)) {
      throw invalid(`no configured subnet contains IP address ${text}`);
    }
    return address;
  }

  #advance(): void {
    this.#next = this.#next >= this.#pool.last ? this.#pool.first : this.#next + 1n;
  }
}
