use super::{Failure, unfinished};
use crate::kill::{self, Place};
use ringwall_event::ProcessTarget;
use ringwall_host_probes::hands::{
    Halt, Halted, KillError, KillOrder, KilledTree, TreeError, continue_process,
    kill_tree as end_tree, stop_process,
};
use ringwall_lifecycle::visible::visible;

fn order(target: &ProcessTarget) -> KillOrder {
    KillOrder { pid: target.pid, start_time: target.start_time, name: Some(target.name.clone()) }
}

pub(super) async fn kill(target: &ProcessTarget, place: Place) -> Result<String, Failure> {
    match place.kill(order(target)).await {
        Ok(killed) => Ok(noting(kill::describe(&killed), killed.renamed.as_deref())),
        Err(error) => gone(error),
    }
}

pub(super) async fn kill_tree(target: &ProcessTarget, place: Place) -> Result<String, Failure> {
    let order = order(target);
    let ended = place.run(move |protected, patience| end_tree(&order, protected, patience)).await;
    match ended {
        Some(Ok(killed)) => Ok(describe(&killed)),
        Some(Err(TreeError::Root(error))) => gone(error),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(unfinished()),
    }
}

pub(super) async fn stop(target: &ProcessTarget, place: Place) -> Result<String, Failure> {
    let order = order(target);
    match place.run(move |protected, _| stop_process(&order, protected)).await {
        Some(Ok(Halted { halt: Halt::Already, renamed })) => {
            Ok(noting("it was stopped already".to_owned(), renamed.as_deref()))
        }
        Some(Ok(halted)) => Ok(noting("stopped".to_owned(), halted.renamed.as_deref())),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(unfinished()),
    }
}

pub(super) async fn go_on(target: &ProcessTarget, place: Place) -> Result<String, Failure> {
    let order = order(target);
    match place.run(move |_, _| continue_process(&order)).await {
        Some(Ok(Halted { halt: Halt::Already, renamed })) => {
            Ok(noting("it was not stopped".to_owned(), renamed.as_deref()))
        }
        Some(Ok(halted)) => Ok(noting("continued".to_owned(), halted.renamed.as_deref())),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(unfinished()),
    }
}

/// What was done, and to whom: a process may have taken another name since it was reported.
fn noting(text: String, renamed: Option<&str>) -> String {
    match renamed {
        Some(name) => format!("{text}; it was named `{}` by then", visible(name)),
        None => text,
    }
}

/// Where the process has ended by itself, what was wanted is so.
fn gone(error: KillError) -> Result<String, Failure> {
    match error {
        KillError::NotRunning(pid) => Ok(format!("process {pid} is not running any more")),
        error => Err(error.to_string()),
    }
}

fn describe(killed: &KilledTree) -> String {
    let mut text = match killed.ended {
        1 => "1 process ended by SIGKILL".to_owned(),
        ended => format!("{ended} processes ended by SIGKILL"),
    };
    for (position, spared) in killed.spared.iter().enumerate() {
        text += if position == 0 { "; spared: " } else { ", " };
        text += &format!("{} ({})", spared.name, spared.why);
    }
    noting(text, killed.renamed.as_deref())
}
