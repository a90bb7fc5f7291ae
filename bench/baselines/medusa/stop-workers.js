// With `--cluster`, Medusa's primary process waits for its workers on a signal, but does not forward the signal to
// them. That works only in a terminal, where Ctrl-C signals all processes. `start` loads this file first to forward the
// signal.
const cluster = require("node:cluster")

if (cluster.isPrimary) {
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.on(signal, () => {
      for (const worker of Object.values(cluster.workers)) worker.process.kill("SIGTERM")
    })
  }
}
