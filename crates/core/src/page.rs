//! Pagination of lists (contract §5).

/// Default number of items per page.
pub const PER_PAGE_DEFAULT: u32 = 15;
/// Maximum number of items per page; greater values are reduced to it.
pub const PER_PAGE_MAX: u32 = 60;

/// The requested page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Page number, starting at 1.
    pub page: u64,
    /// Items per page, 1 to [`PER_PAGE_MAX`].
    pub per_page: u32,
}

impl PageRequest {
    /// Parses the query parameters like Laravel's paginator: a value that is not a positive integer counts as absent.
    pub fn from_query(page: Option<&str>, per_page: Option<&str>) -> Self {
        let positive = |text: Option<&str>| text?.trim().parse::<i64>().ok().filter(|n| *n > 0);
        let page = positive(page).map_or(1, i64::unsigned_abs);
        let per_page = positive(per_page)
            .map_or(PER_PAGE_DEFAULT, |n| u32::try_from(n).unwrap_or(PER_PAGE_MAX).min(PER_PAGE_MAX));
        Self { page, per_page }
    }

    /// Returns the number of items before this page, saturated to `i64::MAX`, the largest offset in SQL.
    pub fn offset(self) -> i64 {
        debug_assert!(self.page >= 1, "pages are numbered from 1");
        let offset = (self.page - 1).saturating_mul(u64::from(self.per_page));
        i64::try_from(offset).unwrap_or(i64::MAX)
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items on this page.
    pub items: Vec<T>,
    /// Number of items in the whole list.
    pub total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_parameters_use_defaults_and_large_ones_are_clamped() {
        let read = |page, per_page| {
            let request = PageRequest::from_query(page, per_page);
            (request.page, request.per_page)
        };
        assert_eq!(read(None, None), (1, 15));
        assert_eq!(read(Some("0"), Some("-3")), (1, 15));
        assert_eq!(read(Some("x"), Some("61")), (1, 60));
        assert_eq!(read(Some("3"), Some("99999999999")), (3, 60));
        let last = PageRequest::from_query(Some("9223372036854775807"), Some("60"));
        assert_eq!(last.offset(), i64::MAX);
    }
}
