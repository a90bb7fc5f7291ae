// Vendure with nothing but PostgreSQL: no plugins, jobs and cache in the process.
//
//     node server.js make-schema                # tables and first administrator of an empty database, then ends
//     node server.js serve PORT PROCESSES
const cluster = require("node:cluster")
const { bootstrap, DefaultLogger, LogLevel } = require("@vendure/core")

const [command, port, processes] = process.argv.slice(2)
const makesSchema = command === "make-schema"

const config = {
  apiOptions: { hostname: "127.0.0.1", port: makesSchema ? 0 : +port, cors: false },
  authOptions: {
    tokenMethod: "bearer",
    superadminCredentials: { identifier: "admin@example.com", password: "benchmark" },
  },
  // The pool keeps the driver's 10 connections: adding 1 and 100 customers was no faster with 5 or with 32.
  dbConnectionOptions: {
    type: "postgres",
    host: process.env.PGHOST,
    port: +process.env.PGPORT,
    username: process.env.PGUSER,
    database: "vendure",
    synchronize: makesSchema,
  },
  logger: new DefaultLogger({ level: LogLevel.Warn }),
}

async function main() {
  if (!makesSchema && cluster.isPrimary && +processes > 1) {
    for (let n = 0; n < +processes; n++) cluster.fork()
    // A load on fewer processes than asked for would be a wrong number. Those left end with this one.
    cluster.on("exit", () => process.exit(1))
    return
  }
  const app = await bootstrap(config)
  if (makesSchema) await app.close()
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
