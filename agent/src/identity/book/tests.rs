#![allow(clippy::unwrap_used)]

use super::*;
use crate::identity::classify;

const A: &str = "2353c701b8486f5c197310118403c348055ac36405c1ce8b678eae84fa4b5585";
const B: &str = "68d179b7ced37ec93171b9cfa6f650141dc1777f6ffb2ffa1c7bc5eb8e08242b";
const UID: &str = "0d1c7a9e-52f4-4b6e-9a55-6f0f2e0f9b11";

fn docker(id: &str) -> Identity {
    classify(&format!("/docker/{id}"))
}

fn named(name: &str) -> Option<Details> {
    Some(Details {
        runtime: Runtime::Docker,
        name: Some(name.to_owned()),
        ..Details::default()
    })
}

fn ask(book: &mut Book, now: Instant) -> Vec<String> {
    std::iter::from_fn(|| book.take_due(now))
        .map(|query| query.id)
        .collect()
}

fn news(book: &mut Book) -> Vec<(String, Option<String>)> {
    std::iter::from_fn(|| book.take_news())
        .map(|(key, details)| (key.to_string(), details.name.clone()))
        .collect()
}

#[test]
fn of_its_own_containers_nobody_is_asked() {
    let (mut book, now) = (Book::default(), Instant::now());
    let own = |name: &str| Details::own(name, "busybox", []);
    // Told before somebody wants to know, and after.
    book.tell(A, own("first"));
    assert!(book.request(&docker(A), now));
    assert!(book.request(&docker(B), now));
    assert_eq!(news(&mut book), [(A.to_owned(), Some("first".to_owned()))]);
    book.tell(B, own("second"));
    assert_eq!(news(&mut book), [(B.to_owned(), Some("second".to_owned()))]);
    assert!(ask(&mut book, now).is_empty());
    assert_eq!(book.unknown(), 0);
    // Renamed, and wanted again.
    book.tell(A, own("third"));
    assert_eq!(news(&mut book), [(A.to_owned(), Some("third".to_owned()))]);
    book.forget(A);
    assert!(book.request(&docker(A), now));
    assert_eq!(news(&mut book), [(A.to_owned(), Some("third".to_owned()))]);
    book.untell(A);
    book.forget(A);
    assert!(book.request(&docker(A), now));
    assert_eq!(ask(&mut book, now), [A]);
}

#[test]
fn a_request_is_asked_once_and_told_once() {
    let (mut book, now) = (Book::default(), Instant::now());
    assert!(book.request(&docker(A), now));
    assert!(book.request(&docker(A), now));
    assert_eq!(book.unknown(), 1);
    assert_eq!(ask(&mut book, now), [A]);
    assert!(book.request(&docker(A), now));
    assert_eq!(ask(&mut book, now), [""; 0]);
    book.answer(A, named("web"), now);
    assert_eq!(book.next_due(), None);
    assert_eq!(news(&mut book), [(A.to_owned(), Some("web".to_owned()))]);
    assert_eq!((book.has_news(), book.unknown()), (false, 0));
}

#[test]
fn what_no_engine_knows_is_not_entered() {
    let (mut book, now) = (Book::default(), Instant::now());
    for path in ["/", "/lxc/web", "/system.slice/nginx.service", "/jobs"] {
        assert!(book.request(&classify(path), now));
    }
    assert!(book.request(&classify(&format!("/docker/{A}/init.scope")), now));
    assert_eq!((book.next_due(), book.unknown()), (None, 0));
}

#[test]
fn retries_back_off_to_thirty_seconds() {
    let (mut book, start) = (Book::default(), Instant::now());
    book.request(&docker(A), start);
    let mut now = start;
    let mut waits = Vec::new();
    for _ in 0..40 {
        assert_eq!(ask(&mut book, now), [A]);
        book.answer(A, None, now);
        let next = book.next_due().unwrap();
        waits.push(next - now);
        now = next;
    }
    assert_eq!(waits[..3], [200, 400, 800].map(Duration::from_millis));
    assert_eq!(waits[39], LAST_RETRY);
    // The engine came up: no waiting.
    book.wake_engine(Runtime::Docker, now - LAST_RETRY);
    assert_eq!(ask(&mut book, now - LAST_RETRY), [A]);
    book.answer(A, None, now);
    assert_eq!(book.next_due(), Some(now + FIRST_RETRY));
}

#[test]
fn a_rename_during_a_look_up_is_not_missed() {
    let (mut book, now) = (Book::default(), Instant::now());
    book.request(&docker(A), now);
    ask(&mut book, now);
    book.wake(A, now);
    book.answer(A, named("old"), now);
    assert_eq!(ask(&mut book, now), [A]);
    book.answer(A, named("new"), now);
    assert_eq!(news(&mut book), [(A.to_owned(), Some("new".to_owned()))]);
}

#[test]
fn known_details_outlive_the_engine_and_repeat_nothing() {
    let (mut book, now) = (Book::default(), Instant::now());
    book.request(&docker(A), now);
    ask(&mut book, now);
    book.answer(A, named("web"), now);
    news(&mut book);
    for answer in [None, named("web")] {
        book.wake_engine(Runtime::Docker, now);
        assert_eq!(ask(&mut book, now), [A]);
        book.answer(A, answer, now);
        assert!(!book.has_news());
        assert_eq!(book.next_due(), None);
    }
}

#[test]
fn the_forgotten_is_gone_from_everywhere() {
    let (mut book, now) = (Book::default(), Instant::now());
    for id in [A, B] {
        book.request(&docker(id), now);
    }
    book.forget(A);
    assert_eq!(ask(&mut book, now), [B]);
    book.forget(B);
    book.answer(B, named("late"), now);
    book.wake(B, now);
    assert_eq!(
        (book.has_news(), book.next_due(), book.unknown()),
        (false, None, 0)
    );
}

#[test]
fn only_the_engines_own_are_woken() {
    let (mut book, now) = (Book::default(), Instant::now());
    book.request(&docker(A), now);
    book.request(&classify(&format!("/libpod_parent/libpod-{B}")), now);
    ask(&mut book, now);
    book.answer(A, named("web"), now);
    book.answer(B, None, now);
    book.wake_engine(Runtime::Docker, now);
    assert_eq!(ask(&mut book, now), [A]);
}

#[test]
fn a_pod_is_named_by_its_containers_in_either_order() {
    let in_pod = |id: &str| classify(&format!("/kubepods/pod{UID}/{id}"));
    let pod = classify(&format!("/kubepods/pod{UID}"));
    let details = || {
        Some(Details {
            runtime: Runtime::Containerd,
            name: Some(A.to_owned()),
            container: Some("app".into()),
            pod: Some("web".into()),
            namespace: Some("shop".into()),
            ..Details::default()
        })
    };
    for pod_first in [true, false] {
        let (mut book, now) = (Book::default(), Instant::now());
        if pod_first {
            book.request(&pod, now);
        }
        book.request(&in_pod(A), now);
        assert_eq!(ask(&mut book, now), [A]);
        book.answer(A, details(), now);
        if !pod_first {
            book.request(&pod, now);
        }
        let told: Vec<_> = std::iter::from_fn(|| book.take_news()).collect();
        let (_, of_pod) = told.iter().find(|(key, _)| &**key == UID).unwrap();
        assert_eq!(of_pod.pod.as_deref(), Some("web"));
        assert_eq!((&of_pod.name, &of_pod.container), (&None, &None));
        assert_eq!(told.len(), 2);
    }
}

#[test]
fn there_is_a_bound() {
    let (mut book, now) = (Book::default(), Instant::now());
    for number in 0..MAX_SUBJECTS {
        assert!(book.request(&docker(&format!("{number:064x}")), now));
    }
    assert!(!book.request(&docker(A), now));
    assert_eq!(book.refused(), 1);
    book.forget(&format!("{:064x}", 0));
    assert!(book.request(&docker(A), now));
}

#[test]
fn a_partial_answer_is_told_and_asked_again_and_takes_no_label_back() {
    let (mut book, now) = (Book::default(), Instant::now());
    let mut labelled = named("web").unwrap();
    let partial = Details {
        partial: true,
        ..labelled.clone()
    };
    labelled
        .labels
        .insert("tier".to_owned(), "front".to_owned());
    book.request(&docker(A), now);
    assert_eq!(ask(&mut book, now), [A]);
    book.answer(A, Some(partial.clone()), now);
    assert_eq!(news(&mut book).len(), 1);
    let again = now + FIRST_RETRY;
    assert_eq!(ask(&mut book, again), [A]);
    book.answer(A, Some(labelled.clone()), again);
    assert_eq!((book.next_due(), news(&mut book).len()), (None, 1));
    // Renamed, and once more only half of the engine answers.
    book.wake(A, again);
    assert_eq!(ask(&mut book, again), [A]);
    let renamed = Details {
        name: Some("shop".to_owned()),
        ..partial
    };
    book.answer(A, Some(renamed), again);
    let (_, details) = book.take_news().unwrap();
    assert_eq!(details.name.as_deref(), Some("shop"));
    assert_eq!(details.labels, labelled.labels);
    assert_eq!(book.next_due(), Some(again + FIRST_RETRY));
}
