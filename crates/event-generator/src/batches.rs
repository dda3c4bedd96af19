use crate::host_run::HostRun;
use crate::needles::Needle;
use crate::schedule::Report;
use crate::world::World;
use crate::{Settings, SettingsError};
use ringwall_event::{Event, EventId, Source, Timestamp};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// A world of hosts, and all that happens in it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Generator {
    world: Arc<World>,
}

/// What one host reports at once: its events have the ids of one batch and the moment of receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The host agent that reports.
    pub source: Source,
    /// When the server takes it.
    pub received: Timestamp,
    /// What was seen since the report before, about in the order in which it happened; 1 to 300.
    pub events: Vec<Event>,
}

/// Batches in order of receipt.
#[derive(Debug)]
pub struct Batches {
    world: Arc<World>,
    slots: Range<u32>,
    /// The slot whose reports these are.
    slot: u32,
    reports: std::vec::IntoIter<Report>,
    number: u64,
    runs: HashMap<u32, HostRun>,
    buffer: String,
}

impl Generator {
    /// The world of these settings. Nothing is generated yet.
    ///
    /// # Errors
    /// Where the settings are beyond their bounds.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self { world: Arc::new(World::new(settings)?) })
    }

    /// Everything, in order of receipt.
    pub fn batches(&self) -> Batches {
        self.part(0..self.world.schedule.slots())
    }

    /// Everything in at most `parts` parts of about as many events each, one after the other: what they
    /// give together is what [`Generator::batches`] gives. Each can be generated on a thread of its
    /// own.
    pub fn split(&self, parts: u32) -> Vec<Batches> {
        let slots = u64::from(self.world.schedule.slots());
        let parts = u64::from(parts).clamp(1, slots);
        let cut = |part: u64| (slots * part / parts) as u32;
        (0..parts).map(|part| self.part(cut(part)..cut(part + 1))).collect()
    }

    /// The names of the hosts, as sources.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.world.hosts.iter().map(|host| &host.source)
    }

    /// What was planted to be found, and where.
    pub fn needles(&self) -> Vec<Needle> {
        self.world.needles.list(&self.world.schedule, &self.world.hosts)
    }

    /// How these events came to be.
    pub fn settings(&self) -> &Settings {
        &self.world.settings
    }

    fn part(&self, slots: Range<u32>) -> Batches {
        Batches {
            world: Arc::clone(&self.world),
            slot: slots.start,
            slots,
            reports: Vec::new().into_iter(),
            number: 0,
            runs: HashMap::new(),
            buffer: String::with_capacity(512),
        }
    }
}

impl Batches {
    /// How many events there are in all of this part.
    pub fn events(&self) -> u64 {
        let schedule = &self.world.schedule;
        schedule.events_before(self.slots.end) - schedule.events_before(self.slots.start)
    }
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let report = loop {
            match self.reports.next() {
                Some(report) => break report,
                None => {
                    self.slot = self.slots.next()?;
                    self.runs.clear();
                    self.number = 0;
                    self.reports = self.world.schedule.reports(self.slot).into_iter();
                }
            }
        };
        let slot = self.slot;
        let millis = (report.received / 1000).cast_unsigned();
        // The place among all reports, so that no two batches have the same ids.
        let first = EventId::from_parts(millis, u64::from(slot) << 32 | self.number, 0);
        self.number += 1;
        let run = self
            .runs
            .entry(report.host)
            .or_insert_with(|| HostRun::new(&self.world, slot, report.host));
        let events = run.report(&self.world, slot, &report, first, &mut self.buffer);
        Some(Batch {
            source: self.world.host(report.host).source.clone(),
            received: Timestamp::from_micros(report.received),
            events,
        })
    }
}
