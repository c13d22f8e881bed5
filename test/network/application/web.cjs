// The web service: counts its visitors in the database and leaves a job for the worker.
const { createServer } = require("node:http");
const { hostname } = require("node:os");
const { ask } = require("./store.cjs");

createServer((_request, response) => {
  Promise.all([ask("INCR", "visits"), ask("LPUSH", "jobs", hostname()), ask("GET", "done")]).then(
    ([visits, , done]) => response.end(JSON.stringify({ host: hostname(), visits, done: Number(done ?? 0) })),
    (error) => {
      response.statusCode = 503;
      response.end(String(error));
    },
  );
}).listen(80, () => console.log("web is ready"));
