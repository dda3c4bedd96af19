use crate::Fixture;
use ringwall_store::{
    CommitError, Finish, GroupCommit, GroupCommitOptions, QueueFull, StateStore, StoreError,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

type Answer = Result<(), CommitError>;

fn start(fixture: &Fixture, rollbacks: &Arc<AtomicUsize>, capacity: usize) -> GroupCommit {
    let counter = Arc::clone(rollbacks);
    GroupCommit::start(
        Arc::clone(&fixture.database),
        GroupCommitOptions { queue_capacity: capacity, group_max: 64 },
        |_| Ok(()),
        move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        },
    )
    .unwrap()
}

fn finish(sender: &mpsc::Sender<Answer>) -> Finish {
    let sender = sender.clone();
    Box::new(move |outcome| sender.send(outcome).unwrap())
}

#[test]
fn success_is_told_after_the_commit() {
    let fixture = Fixture::new();
    let rollbacks = Arc::default();
    let group_commit = start(&fixture, &rollbacks, 100);
    let (sender, receiver) = mpsc::channel();
    for number in 0..50u32 {
        let finish = finish(&sender);
        group_commit
            .submit(move |session| {
                (session.put_document("n", &number.to_string(), &number), finish)
            })
            .unwrap();
    }
    for _ in 0..50 {
        receiver.recv().unwrap().unwrap();
    }
    let stored: Vec<(String, u32)> = fixture.database.read(|s| s.documents("n")).unwrap();
    assert_eq!(stored.len(), 50);
    assert_eq!(rollbacks.load(Ordering::Relaxed), 0);
}

#[test]
fn a_failed_group_leaves_nothing_and_says_so() {
    let fixture = Fixture::new();
    let rollbacks = Arc::default();
    let group_commit = start(&fixture, &rollbacks, 100);
    let (sender, receiver) = mpsc::channel();
    let last = finish(&sender);
    group_commit
        .submit(move |session| {
            let written = session.put_document("n", "lost", &1);
            (written.and(Err(StoreError::Full)), last)
        })
        .unwrap();
    let error = receiver.recv().unwrap().unwrap_err();
    assert!(error.is_full);
    assert_eq!(rollbacks.load(Ordering::Relaxed), 1);
    let stored: Option<u32> = fixture.database.read(|s| s.document("n", "lost")).unwrap();
    assert_eq!(stored, None);
    // The next group is not the worse for it.
    let next = finish(&sender);
    group_commit.submit(move |session| (session.put_document("n", "kept", &2), next)).unwrap();
    receiver.recv().unwrap().unwrap();
}

#[test]
fn a_full_queue_refuses_at_once() {
    let fixture = Fixture::new();
    let rollbacks = Arc::default();
    let group_commit = start(&fixture, &rollbacks, 1);
    let (release, wait) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel::<()>();
    let (sender, receiver) = mpsc::channel();
    let first = finish(&sender);
    group_commit
        .submit(move |_| {
            started.send(()).unwrap();
            wait.recv().unwrap();
            (Ok(()), first)
        })
        .unwrap();
    has_started.recv().unwrap();
    let second = finish(&sender);
    group_commit.submit(move |_| (Ok(()), second)).unwrap();
    let third = finish(&sender);
    assert_eq!(group_commit.submit(move |_| (Ok(()), third)), Err(QueueFull));
    release.send(()).unwrap();
    receiver.recv().unwrap().unwrap();
    receiver.recv().unwrap().unwrap();
}
