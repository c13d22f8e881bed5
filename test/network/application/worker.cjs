// The worker: takes jobs from the database for ever, whatever happens to it meanwhile.
const { ask } = require("./store.cjs");

async function work() {
  for (;;) {
    try {
      const job = await ask("RPOP", "jobs");
      if (job === null) await new Promise((resolve) => setTimeout(resolve, 50));
      else console.log(`job ${await ask("INCR", "done")} for ${job}`);
    } catch (error) {
      console.log(`waiting for the database: ${error.message}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
work();
