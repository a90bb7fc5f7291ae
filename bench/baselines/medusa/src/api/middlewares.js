// Medusa rejects bodies over 100 kB, and a request with 10,000 customers has 330 kB. Raises the limit of that route.
const { defineMiddlewares } = require("@medusajs/framework/http")

exports.default = defineMiddlewares({
  routes: [
    {
      matcher: "/admin/customer-groups/:id/customers",
      methods: ["POST"],
      bodyParser: { sizeLimit: "1mb" },
    },
  ],
})
