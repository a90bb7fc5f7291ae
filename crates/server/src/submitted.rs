//! Requests with a body: from bytes to validated fields.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, Method, Uri, header};
use tokio::sync::OwnedSemaphorePermit;
use zumra_core::{CustomerId, MerchantId};
use zumra_validation::{Input, LookupResults, Method as FormMethod, RawRequest, RuleSet};

use crate::app::App;
use crate::body::read_body;
use crate::fields::Fields;
use crate::lookups::StoredLookups;
use crate::problem::Problem;

/// Bodies of at least this size are parsed on a blocking thread, so that they do not delay other requests.
const LARGE_BODY_BYTES: usize = 64 << 10;

/// A request with its whole body, before validation. Cloning shares the body.
#[derive(Clone)]
pub(crate) struct Submitted {
    method: Method,
    uri: Uri,
    content_type: Option<HeaderValue>,
    /// The body.
    pub(crate) body: Bytes,
    _reservation: Arc<OwnedSemaphorePermit>,
}

impl FromRequest<App> for Submitted {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let limits = &app.options.limits;
        let (body, reservation) =
            read_body(body, &parts.headers, &app.body_budget, limits.body_bytes, limits.body_timeout).await?;
        Ok(Self {
            content_type: parts.headers.get(header::CONTENT_TYPE).cloned(),
            method: parts.method,
            uri: parts.uri,
            body,
            _reservation: Arc::new(reservation),
        })
    }
}

impl Submitted {
    /// Returns the value of `Content-Type`.
    pub(crate) fn content_type(&self) -> Option<&[u8]> {
        self.content_type.as_ref().map(HeaderValue::as_bytes)
    }

    /// Validates the request with `rules` and returns its fields. `except` is the customer that the request updates:
    /// its own mobile number and email do not count as already used.
    ///
    /// # Errors
    ///
    /// [`Problem::InvalidFields`], or the problem of a storage error.
    pub(crate) async fn validate(
        &self,
        app: &App,
        merchant: MerchantId,
        rules: &RuleSet,
        except: Option<CustomerId>,
    ) -> Result<Fields, Problem> {
        let input = self.validate_input(app, merchant, rules, except).await?;
        Ok(Fields::new(rules.normalized(&input)))
    }

    /// Like [`Submitted::validate`], but returns the input for handlers that read it in their own way.
    pub(crate) async fn validate_input(
        &self,
        app: &App,
        merchant: MerchantId,
        rules: &RuleSet,
        except: Option<CustomerId>,
    ) -> Result<Input, Problem> {
        let input = self.read_input(app).await?;
        let results = StoredLookups::fetch(app, merchant, rules.lookups(&input), except).await?;
        rules.check(&input, &results).map_err(Problem::InvalidFields)?;
        Ok(input)
    }

    /// Returns the problem of a request that violates `rules` according to `results`.
    pub(crate) async fn explain_violation(
        &self,
        app: &App,
        rules: &RuleSet,
        results: &(dyn LookupResults + Sync),
    ) -> Problem {
        let input = match self.read_input(app).await {
            Ok(input) => input,
            Err(problem) => return problem,
        };
        match rules.check(&input, results) {
            Err(errors) => Problem::InvalidFields(errors),
            Ok(()) => Problem::Internal("the storage rejected ids that are not in the request".to_owned()),
        }
    }

    /// Reads the fields of body and query as Laravel does.
    async fn read_input(&self, app: &App) -> Result<Input, Problem> {
        if self.body.len() < LARGE_BODY_BYTES {
            return Ok(Input::read(&self.raw_request())?);
        }
        let _permit = app.body_budget.large_body_permit().await?;
        let submitted = self.clone();
        let reading = tokio::task::spawn_blocking(move || Input::read(&submitted.raw_request()));
        Ok(reading.await.map_err(|error| Problem::Internal(error.to_string()))??)
    }

    fn raw_request(&self) -> RawRequest<'_> {
        RawRequest {
            method: form_method(&self.method),
            content_type: self.content_type(),
            query: self.uri.query(),
            body: &self.body,
        }
    }
}

/// Returns how validation reads the form of a request. PHP parses multipart forms of POST only; Laravel adds
/// URL-encoded forms of PUT, PATCH and DELETE, which it treats alike.
fn form_method(method: &Method) -> FormMethod {
    if *method == Method::POST { FormMethod::Post } else { FormMethod::Put }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_put_patch_and_delete_are_read_alike() {
        assert_eq!(form_method(&Method::POST), FormMethod::Post);
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(form_method(&method), FormMethod::Put, "{method}");
        }
    }
}
