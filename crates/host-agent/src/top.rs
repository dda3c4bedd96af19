//! `top`: what this agent sees on its host, live, without a server.

mod sight;
mod terminal;
mod view;

use crate::arguments::TopArguments;
use crate::watching::Watching;
use anyhow::Context as _;
use ringwall_host_probes::ProbeSettings;
use ringwall_lifecycle::Shutdown;
use sight::Sight;
use std::io::{self, Write};
use std::time::Duration;
use terminal::{Keyboard, Terminal};
use tokio::signal::unix::{SignalKind, signal};
use view::{SortBy, View};

/// Loads are measured from one picture to the next: a single one shows none.
const PICTURES_FOR_LOADS: u64 = 2;

/// Shows until asked to stop; one picture where there is no terminal, or no more is wanted.
pub(crate) async fn run(arguments: &TopArguments, probe: ProbeSettings) -> anyhow::Result<()> {
    let is_live = !arguments.once && !arguments.json && terminal::is_terminal();
    // A single picture should not take long, and yet have loads.
    let interval = Duration::from_secs(if is_live { arguments.interval } else { 1 });
    let settings = ProbeSettings { collection_interval: interval, ..probe };
    let watching = Watching::start(settings).await.context("cannot watch this host")?;
    if is_live {
        return live(watching).await;
    }
    let shutdown = Shutdown::on_signals()?;
    let Some(sight) = first_measured(watching, &shutdown).await? else {
        return Ok(());
    };
    let mut out = io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &sight)?;
        writeln!(out)?;
    } else {
        for line in View::plain(terminal::columns()).lines(&sight) {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    out.flush()?;
    Ok(())
}

/// The first picture with loads; none where it was asked to stop before.
async fn first_measured(
    mut watching: Watching,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<Sight>> {
    let mut asked = shutdown.receiver();
    let mut sight = Sight::default();
    while sight.pictures < PICTURES_FOR_LOADS {
        tokio::select! {
            batch = watching.next() => {
                sight.take(batch.context("watching this host has come to an end")?);
            }
            _ = asked.wait_for(|asked| *asked) => return Ok(None),
        }
    }
    sight.state(watching.state().capabilities);
    Ok(Some(sight))
}

async fn live(mut watching: Watching) -> anyhow::Result<()> {
    // Signals first: from here on the terminal must be put back whatever happens.
    let shutdown = Shutdown::on_signals()?;
    let mut asked = shutdown.receiver();
    let mut resized = signal(SignalKind::window_change())?;
    let mut terminal = Terminal::enter().context("cannot use this terminal")?;
    let mut keyboard = Keyboard::start()?;
    let mut view = View::live(crate::output::wants_colour());
    let mut sight = Sight::default();
    loop {
        tokio::select! {
            batch = watching.next() => {
                sight.take(batch.context("watching this host has come to an end")?);
                sight.state(watching.state().capabilities);
            }
            key = keyboard.next() => match key {
                // ^C and ^D as well: in this mode the terminal makes no signal of them.
                None | Some(b'q' | b'Q' | 0x03 | 0x04) => return Ok(()),
                Some(b'c' | b'C') => view.sort_by(SortBy::Processor),
                Some(b'm' | b'M') => view.sort_by(SortBy::Memory),
                Some(b'p' | b'P') => view.sort_by(SortBy::Pid),
                Some(_) => continue,
            },
            _ = resized.recv() => {}
            _ = asked.wait_for(|asked| *asked) => return Ok(()),
        }
        if sight.pictures > 0 {
            view.resize(terminal.size());
            terminal.draw(&view.lines(&sight))?;
        }
    }
}
