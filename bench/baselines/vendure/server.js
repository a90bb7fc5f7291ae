// Vendure with PostgreSQL only: no plugins; job queue and cache are in the process.
//
//     node server.js create-schema              # creates tables and administrator in an empty database, then exits
//     node server.js serve PORT PROCESSES
const cluster = require("node:cluster")
const { bootstrap, DefaultLogger, LogLevel } = require("@vendure/core")

const [command, port, processes] = process.argv.slice(2)
const isSchemaCommand = command === "create-schema"

const config = {
  apiOptions: { hostname: "127.0.0.1", port: isSchemaCommand ? 0 : +port, cors: false },
  authOptions: {
    tokenMethod: "bearer",
    superadminCredentials: { identifier: "admin@example.com", password: "benchmark" },
  },
  // The pool has the driver's default of 10 connections: adding 1 and 100 customers was no faster with 5 or with 32.
  dbConnectionOptions: {
    type: "postgres",
    host: process.env.PGHOST,
    port: +process.env.PGPORT,
    username: process.env.PGUSER,
    database: "vendure",
    synchronize: isSchemaCommand,
  },
  logger: new DefaultLogger({ level: LogLevel.Warn }),
}

async function main() {
  if (!isSchemaCommand && cluster.isPrimary && +processes > 1) {
    for (let n = 0; n < +processes; n++) cluster.fork()
    // A result with fewer processes than requested would be wrong. Exiting ends the other workers too.
    cluster.on("exit", () => process.exit(1))
    return
  }
  const app = await bootstrap(config)
  if (isSchemaCommand) await app.close()
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
