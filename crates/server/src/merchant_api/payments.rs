//! Payment methods, whose slugs the features of groups refer to (contract §2.6, P1).

use serde::Serialize;
use utoipa::ToSchema;
use zumra_core::Page;

use crate::auth::{Caller, PaymentsRead};
use crate::envelope::Listing;
use crate::openapi::PageParameters;
use crate::request::ListRequest;

type PaymentMethodList = Listing<PaymentMethodView>;

/// A payment method.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = PaymentMethod)]
pub(crate) struct PaymentMethodView {
    #[schema(example = 1_298_199_463)]
    id: i64,
    #[schema(example = "mada")]
    slug: &'static str,
    #[schema(example = "mada")]
    name: &'static str,
}

/// The payment methods of the contract's example. Every shop has all of them.
const METHODS: [PaymentMethodView; 10] = [
    PaymentMethodView { id: 1_473_353_380, slug: "credit_card", name: "creditCard" },
    PaymentMethodView { id: 1_939_592_358, slug: "paypal", name: "paypal" },
    PaymentMethodView { id: 1_298_199_463, slug: "mada", name: "mada" },
    PaymentMethodView { id: 525_144_736, slug: "free", name: "free" },
    PaymentMethodView { id: 1_764_372_897, slug: "bank", name: "BankTransfer" },
    PaymentMethodView { id: 989_286_562, slug: "cod", name: "COD" },
    PaymentMethodView { id: 349_994_915, slug: "apple_pay", name: "ApplePay" },
    PaymentMethodView { id: 1_723_506_348, slug: "stc_pay", name: "StcPay" },
    PaymentMethodView { id: 814_202_285, slug: "tamara_installment", name: "TamaraInstallment" },
    PaymentMethodView { id: 40_688_814, slug: "tabby_installment", name: "TabbyInstallment" },
];

/// List available payment methods
#[utoipa::path(
    get,
    path = "/payment/methods",
    tag = "Payments",
    params(PageParameters,
        ("status" = Option<String>, Query, description = "`enabled`; ignored, because all methods are enabled")),
    responses((status = 200, description = "One page", body = PaymentMethodList)),
)]
pub(crate) async fn methods(
    _caller: Caller<PaymentsRead>,
    request: ListRequest,
) -> Listing<PaymentMethodView> {
    let offset = usize::try_from(request.page.offset()).unwrap_or(usize::MAX);
    let items = METHODS.into_iter().skip(offset).take(request.page.per_page as usize).collect();
    request.respond(Page { items, total: METHODS.len() as u64 }, |method| method)
}
