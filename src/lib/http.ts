/**
 * node:http and node:https without an import statement, which would read every export, among them getters
 * that load clients for WebSocket and HTTP/2: 16 MB and tens of milliseconds at each start.
 */
export const http: typeof import("node:http") = process.getBuiltinModule("node:http");

/** Loads TLS when it is first asked for: most daemons never speak it, and it takes 5 MB. */
export const https = (): typeof import("node:https") => process.getBuiltinModule("node:https");
