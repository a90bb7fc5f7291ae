//! Requests with a body: from bytes to validated fields.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
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
    /// How validation reads a form. PHP parses multipart forms of POST only; Laravel adds URL-encoded forms of PUT, PATCH and
    /// DELETE, which it treats alike.
    form_method: FormMethod,
    uri: Uri,
    content_type: Option<HeaderValue>,
    /// The body.
    pub(crate) body: Bytes,
    _reservation: Arc<OwnedSemaphorePermit>,
}

/// The body of a `POST`, which was read before routing, or why it was not.
#[derive(Clone)]
pub(crate) struct EarlyBody(pub(crate) Result<Submitted, Problem>);

/// Marks a request that was sent as `POST` and is routed as another method. Its forms are those of a `POST`.
#[derive(Clone, Copy)]
pub(crate) struct SentAsPost;

impl FromRequest<App> for Submitted {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        match parts.extensions.remove::<EarlyBody>() {
            Some(EarlyBody(read)) => read,
            None => Self::read(&parts, body, app).await,
        }
    }
}

impl Submitted {
    /// Reads the body of a request within its limits.
    ///
    /// # Errors
    ///
    /// Those of [`read_body`].
    pub(crate) async fn read(parts: &Parts, body: Body, app: &App) -> Result<Self, Problem> {
        let limits = &app.options.limits;
        let (body, reservation) =
            read_body(body, &parts.headers, &app.body_budget, limits.body_bytes, limits.body_timeout).await?;
        let is_post = parts.method == Method::POST || parts.extensions.get::<SentAsPost>().is_some();
        Ok(Self {
            form_method: if is_post { FormMethod::Post } else { FormMethod::Put },
            content_type: parts.headers.get(header::CONTENT_TYPE).cloned(),
            uri: parts.uri.clone(),
            body,
            _reservation: Arc::new(reservation),
        })
    }

    /// Returns the query string.
    pub(crate) fn query(&self) -> Option<&str> {
        self.uri.query()
    }

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
    pub(crate) async fn read_input(&self, app: &App) -> Result<Input, Problem> {
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
            method: self.form_method,
            content_type: self.content_type(),
            query: self.uri.query(),
            body: &self.body,
        }
    }
}
