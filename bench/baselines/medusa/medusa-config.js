// Medusa with PostgreSQL only: the parts that can use Redis (events, cache, workflows, locks) are in the process, and
// the admin pages are disabled.
const { defineConfig } = require("@medusajs/framework/utils")
const { PGHOST, PGPORT, PGUSER } = process.env

module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: `postgres://${PGUSER}@${PGHOST}:${PGPORT}/medusa`,
    // The pool has its default of 10 connections: adding 1 and 100 customers was no faster with 5 or with 32.
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
