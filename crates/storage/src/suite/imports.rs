//! Imports: leases, fences, pieces.

use jiff::{SignedDuration, Timestamp};
use zumra_core::text::Name;
use zumra_core::{
    CustomerId, Import, ImportChunk, ImportId, ImportLease, Language, LeaseKey, NewCustomer, NewImport,
    RowProblem,
};

use super::{SHOP, Scene, case_list, customer_id, merchant_id};
use crate::{Result, StorageError};

case_list![
    an_import_is_leased_to_one_at_a_time,
    whoever_was_overtaken_writes_nothing,
    a_piece_makes_customers_and_keeps_problems,
    a_piece_that_comes_twice_counts_once,
    the_last_piece_ends_it_and_lets_the_file_go,
    what_is_taken_is_a_problem_of_its_row,
    problems_are_kept_up_to_a_limit,
    imports_of_another_merchant_are_not_there,
];

const LEASE: SignedDuration = SignedDuration::from_secs(30);

fn import_id(id: i64) -> ImportId {
    ImportId::new(id).expect("positive")
}

async fn create(scene: &Scene, id: i64) -> Import {
    let new = NewImport { id: import_id(id), file: vec![0, 1, 255], language: Language::English };
    scene.storage.create_import(merchant_id(1), new, scene.operation()).await.expect("kept")
}

async fn lease_at(scene: &Scene, now: Timestamp) -> Option<ImportLease> {
    scene.storage.lease_import(None, now, now + LEASE).await.expect("answered")
}

fn customer(id: i64, mobile: &str) -> NewCustomer {
    NewCustomer {
        mobile: mobile.parse().ok(),
        ..NewCustomer::new(customer_id(id), Name::parse("سارة").expect("a name"))
    }
}

fn piece(last_row: u32, customers: Vec<(u32, NewCustomer)>) -> ImportChunk {
    let (mobile_used_reason, email_used_reason) = ("taken".to_owned(), "taken too".to_owned());
    ImportChunk { last_row, customers, mobile_used_reason, email_used_reason, ..ImportChunk::default() }
}

fn problem(row: u32, column: &str, reason: &str) -> RowProblem {
    RowProblem { row, column: column.to_owned(), reason: reason.to_owned() }
}

async fn write(scene: &Scene, lease: LeaseKey, piece: ImportChunk) -> Result<Import> {
    let (until, operation) = (Scene::now() + LEASE, scene.operation());
    scene.storage.write_import_chunk(lease, until, piece, operation).await
}

async fn an_import_is_leased_to_one_at_a_time(scene: Scene) {
    scene.load(SHOP).await;
    assert_eq!(lease_at(&scene, Scene::now()).await, None);
    let made = create(&scene, 5).await;
    assert_eq!((made.id, made.at, made.finished_at, made.last_row), (import_id(5), Scene::now(), None, 0));
    let first = lease_at(&scene, Scene::now()).await.expect("a lease");
    assert_eq!(
        (first.key.merchant, first.key.import, first.key.fencing_token),
        (merchant_id(1), import_id(5), 1)
    );
    assert_eq!((first.file.as_slice(), first.language), ([0, 1, 255].as_slice(), Language::English));
    assert_eq!(first.actor, scene.operation().actor);
    assert_eq!(lease_at(&scene, Scene::now() + LEASE - SignedDuration::from_secs(1)).await, None);
    let second = lease_at(&scene, Scene::now() + LEASE).await.expect("the lease is over");
    assert_eq!(second.key.fencing_token, 2);
    create(&scene, 6).await;
    let which = Some((merchant_id(1), import_id(6)));
    let named = scene.storage.lease_import(which, Scene::now(), Scene::now() + LEASE).await;
    assert_eq!(named.expect("answered").map(|lease| lease.key.import), Some(import_id(6)));
    let taken = scene.storage.lease_import(which, Scene::now(), Scene::now() + LEASE).await;
    assert_eq!(taken.expect("answered"), None);
}

async fn whoever_was_overtaken_writes_nothing(scene: Scene) {
    scene.load(SHOP).await;
    create(&scene, 5).await;
    let paused = lease_at(&scene, Scene::now()).await.expect("a lease");
    let next = lease_at(&scene, Scene::now() + LEASE).await.expect("a lease");
    let before = scene.storage.inspect().await.expect("inspected");
    let late = write(&scene, paused.key, piece(2, vec![(2, customer(70, "70"))])).await;
    assert!(matches!(late, Err(StorageError::LeaseLost)), "{late:?}");
    assert_eq!(scene.storage.inspect().await.expect("inspected"), before);
    let done = write(&scene, next.key, piece(2, vec![(2, customer(71, "70"))])).await.expect("written");
    assert_eq!((done.last_row, done.created_customers, done.rejected_rows), (2, 1, 0));
    let finish = ImportChunk { is_last: true, ..piece(2, vec![]) };
    let late = write(&scene, paused.key, finish).await;
    assert!(matches!(late, Err(StorageError::LeaseLost)), "{late:?}");
}

async fn a_piece_makes_customers_and_keeps_problems(scene: Scene) {
    scene.load(SHOP).await;
    create(&scene, 5).await;
    let lease = lease_at(&scene, Scene::now()).await.expect("a lease");
    let mut rows = piece(4, vec![(2, customer(70, "70")), (4, customer(72, "72"))]);
    rows.problems = vec![problem(3, "mobile", "missing"), problem(3, "email", "wrong")];
    let import = write(&scene, lease.key, rows).await.expect("written");
    assert_eq!(
        (import.last_row, import.created_customers, import.rejected_rows, import.finished_at),
        (4, 2, 1, None)
    );
    for id in [70, 72] {
        assert_eq!(scene.groups_of(1, id).await, [30], "every new customer joins the default group");
    }
    let (found, problems) = find(&scene).await;
    assert_eq!(found, import);
    assert_eq!(problems, [problem(3, "mobile", "missing"), problem(3, "email", "wrong")]);
    let inspection = scene.storage.inspect().await.expect("inspected");
    assert_eq!((inspection.customers, inspection.memberships, inspection.problems.len()), (7, 3, 0));
}

async fn find(scene: &Scene) -> (Import, Vec<RowProblem>) {
    scene.storage.find_import(merchant_id(1), import_id(5)).await.expect("answered").expect("there")
}

async fn a_piece_that_comes_twice_counts_once(scene: Scene) {
    scene.load(SHOP).await;
    create(&scene, 5).await;
    let lease = lease_at(&scene, Scene::now()).await.expect("a lease");
    let rows = |id| {
        let mut rows = piece(3, vec![(2, customer(id, "70"))]);
        rows.problems = vec![problem(3, "mobile", "missing")];
        rows
    };
    let first = write(&scene, lease.key, rows(70)).await.expect("written");
    let again = write(&scene, lease.key, rows(71)).await.expect("written");
    assert_eq!((first, find(&scene).await.1.len()), (again, 1));
    let next = lease_at(&scene, Scene::now() + LEASE).await.expect("a lease");
    assert_eq!(next.last_row, 3, "the next one goes on behind it");
}

async fn the_last_piece_ends_it_and_lets_the_file_go(scene: Scene) {
    scene.load(SHOP).await;
    create(&scene, 5).await;
    let lease = lease_at(&scene, Scene::now()).await.expect("a lease");
    let failure = Some("damaged".to_owned());
    let last = ImportChunk { is_last: true, failure: failure.clone(), ..piece(9, vec![]) };
    let import = write(&scene, lease.key, last.clone()).await.expect("written");
    assert_eq!((import.finished_at, &import.failure, import.last_row), (Some(Scene::now()), &failure, 9));
    assert_eq!(lease_at(&scene, Scene::now() + LEASE + LEASE).await, None);
    let again = write(&scene, lease.key, last).await.expect("written");
    assert_eq!(again, import);
}

async fn what_is_taken_is_a_problem_of_its_row(scene: Scene) {
    scene.load(SHOP).await;
    create(&scene, 5).await;
    let lease = lease_at(&scene, Scene::now()).await.expect("a lease");
    let with_email = NewCustomer { email: "NOURA@example.com".parse().ok(), ..customer(73, "73") };
    let rows = vec![
        (2, customer(70, "512345678")),
        (3, customer(71, "71")),
        (4, customer(72, "71")),
        (5, with_email),
        (6, customer(74, "74")),
    ];
    let import = write(&scene, lease.key, piece(6, rows)).await.expect("written");
    assert_eq!((import.created_customers, import.rejected_rows), (2, 3));
    let taken =
        [problem(2, "mobile", "taken"), problem(4, "mobile", "taken"), problem(5, "email", "taken too")];
    assert_eq!(find(&scene).await.1, taken);
    let there = async |id: i64| {
        let id = CustomerId::new(id).expect("positive");
        scene.storage.find_customer(merchant_id(1), id).await.expect("answered").is_some()
    };
    assert!(there(71).await && there(74).await && !there(70).await && !there(72).await && !there(73).await);
}

async fn problems_are_kept_up_to_a_limit(scene: Scene) {
    scene.load(SHOP).await;
    create(&scene, 5).await;
    let lease = lease_at(&scene, Scene::now()).await.expect("a lease");
    for first in [2, 702] {
        let mut rows = piece(first + 699, vec![]);
        rows.problems = (first..first + 700).map(|row| problem(row, "mobile", "missing")).collect();
        write(&scene, lease.key, rows).await.expect("written");
    }
    let (import, problems) = find(&scene).await;
    assert_eq!((import.rejected_rows, problems.len(), problems[999].row), (1400, 1000, 1001));
}

async fn imports_of_another_merchant_are_not_there(scene: Scene) {
    scene.load(SHOP).await;
    scene.load(r#"{"id":2,"name":"other"}"#).await;
    create(&scene, 5).await;
    create(&scene, 6).await;
    let listed = scene.storage.list_imports(merchant_id(1), 10).await.expect("listed");
    assert_eq!(listed.iter().map(|import| import.id.get()).collect::<Vec<_>>(), [6, 5]);
    assert_eq!(scene.storage.list_imports(merchant_id(1), 1).await.expect("listed").len(), 1);
    assert!(scene.storage.list_imports(merchant_id(2), 10).await.expect("listed").is_empty());
    assert!(scene.storage.find_import(merchant_id(2), import_id(5)).await.expect("answered").is_none());
}
