// A client of Redis as small as can be: one question a connection (RESP2).
const { connect } = require("node:net");

exports.ask = (...words) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: "db", port: 6379, timeout: 2000 });
    let answer = "";
    socket.on("error", reject);
    socket.on("timeout", () => socket.destroy(new Error("no answer")));
    socket.on("connect", () =>
      socket.write(
        `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`,
      ),
    );
    socket.on("data", (chunk) => {
      answer += chunk;
      if (
        !answer.endsWith("\r\n") ||
        (answer[0] === "$" && answer[1] !== "-" && answer.split("\r\n").length < 3)
      )
        return;
      socket.destroy();
      const [head = "", body = ""] = answer.split("\r\n");
      if (head[0] === "-") reject(new Error(head.slice(1)));
      else if (head[0] === ":") resolve(Number(head.slice(1)));
      else if (head === "$-1") resolve(null);
      else resolve(head[0] === "$" ? body : head.slice(1));
    });
  });
