//! What engines do alike with a piece of an import.

use std::collections::HashSet;

use zumra_core::{Email, ImportChunk, Mobile, NewCustomer, RowProblem};

use crate::Contacts;

/// The mobile numbers and e-mail addresses that a piece would put into use.
pub(crate) fn contacts(piece: &ImportChunk) -> Contacts {
    let customers = || piece.customers.iter().map(|(_, customer)| customer);
    Contacts {
        mobiles: customers().filter_map(mobile).map(str::to_owned).collect(),
        emails: customers().filter_map(|customer| customer.email.as_ref().map(Email::key)).collect(),
    }
}

/// Which customers of a piece can be made, given what others have, and all that is wrong with its rows.
pub(crate) fn sort_out(piece: &ImportChunk, taken: Contacts) -> (Vec<&NewCustomer>, Vec<RowProblem>) {
    let mut mobiles: HashSet<String> = taken.mobiles.into_iter().collect();
    let mut emails: HashSet<String> = taken.emails.into_iter().collect();
    let (mut made, mut problems) = (Vec::new(), piece.problems.clone());
    for (row, customer) in &piece.customers {
        let mut refuse = |column: &str, reason: &str| {
            problems.push(RowProblem { row: *row, column: column.to_owned(), reason: reason.to_owned() });
        };
        let email = customer.email.as_ref().map(Email::key);
        let mobile_is_taken = mobile(customer).is_some_and(|mobile| mobiles.contains(mobile));
        let email_is_taken = email.as_ref().is_some_and(|email| emails.contains(email));
        if mobile_is_taken {
            refuse("mobile", &piece.mobile_used_reason);
        }
        if email_is_taken {
            refuse("email", &piece.email_used_reason);
        }
        if !mobile_is_taken && !email_is_taken {
            mobiles.extend(mobile(customer).map(str::to_owned));
            emails.extend(email);
            made.push(customer);
        }
    }
    problems.sort_by_key(|problem| problem.row);
    (made, problems)
}

/// How many rows have problems.
pub(crate) fn refused_rows(problems: &[RowProblem]) -> u64 {
    problems.iter().map(|problem| problem.row).collect::<HashSet<_>>().len() as u64
}

fn mobile(customer: &NewCustomer) -> Option<&str> {
    customer.mobile.as_ref().map(Mobile::as_str)
}
