// With `--cluster`, Medusa's first process waits for its workers to end when it is told to stop, but does not tell
// them: that works only from a terminal, where Ctrl-C reaches all of them. So this is loaded first and passes it on.
const cluster = require("node:cluster")

if (cluster.isPrimary) {
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.on(signal, () => {
      for (const worker of Object.values(cluster.workers)) worker.process.kill("SIGTERM")
    })
  }
}
