// Medusa with nothing but PostgreSQL: the parts that could use Redis (events, cache, workflows, locks) stay in the
// process, and the admin pages are not served.
const { defineConfig } = require("@medusajs/framework/utils")
const { PGHOST, PGPORT, PGUSER } = process.env

module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: `postgres://${PGUSER}@${PGHOST}:${PGPORT}/medusa`,
    // The pool keeps its 10 connections: adding 1 and 100 customers was no faster with 5 or with 32.
    databaseDriverOptions: { connection: { ssl: false } },
    http: {
      jwtSecret: "only for the benchmark",
      cookieSecret: "only for the benchmark",
      adminCors: "",
      authCors: "",
      storeCors: "",
    },
  },
})
