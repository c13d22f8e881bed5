/**
 * What the server needs of node:http. An import statement would read every export of it, among them
 * getters that load clients for WebSocket and HTTP/2: 16 MB and tens of milliseconds at each start.
 */
export const { Server, ServerResponse } = process.getBuiltinModule("node:http");
