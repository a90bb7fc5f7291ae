// Medusa refuses bodies over 100 kB; 10,000 customers are 330 kB. Raised for the one route that takes them.
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
