// Node's own modules, without the wrapper that `import` makes: it evaluates every export, and so loads
// parts of `fs` and `net` (promises, readline, block lists) that take 5 ms of a command's 30.
export const fs: typeof import("node:fs") = process.getBuiltinModule("node:fs");
export const net: typeof import("node:net") = process.getBuiltinModule("node:net");
export const tty: typeof import("node:tty") = process.getBuiltinModule("node:tty");
