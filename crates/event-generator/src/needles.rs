//! What is to be found: planted at places that follow from the seed.

use crate::Settings;
use crate::hosts::Host;
use crate::random::Random;
use crate::schedule::Schedule;
use crate::text::{NEEDLE_ADDRESS, digest};
use ringwall_event::{Source, Timestamp};
use std::collections::BTreeMap;

/// What a needle is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NeedleKind {
    /// Words within the command line of a process that started.
    CommandLine,
    /// The remote address of a connection that was opened.
    Address,
    /// The SHA-256 of the program file of a process that started.
    Sha256,
}

/// Something that is in few of the events, and in no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    /// What it is found by.
    pub kind: NeedleKind,
    /// The words, the address or the digest.
    pub value: String,
    /// Where it is: one an event. Sorted by time.
    pub occurrences: Vec<Occurrence>,
}

/// Where one event with a needle is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The host that reports it.
    pub source: Source,
    /// It is received at this moment or later.
    pub since: Timestamp,
    /// It is received before this moment.
    pub until: Timestamp,
}

/// The words of the needle of command lines.
pub(crate) const COMMAND: &str = "/tmp/.x/stage2.bin";
const PER_NEEDLE_MAX: u64 = 12;
/// How many events there are for each occurrence, at least.
const HAY: u64 = 1000;
pub(crate) const KINDS: [NeedleKind; 3] =
    [NeedleKind::CommandLine, NeedleKind::Address, NeedleKind::Sha256];

/// The needles of each slot and host: the places among its events there, in order.
#[derive(Debug)]
pub(crate) struct Needles {
    of: BTreeMap<(u32, u32), Vec<(u64, NeedleKind)>>,
    pub(crate) digest: Box<str>,
}

impl Needles {
    pub(crate) fn new(settings: &Settings, schedule: &Schedule) -> Self {
        let mut random = Random::of(&[settings.seed, 0x6e65_6564_6c65]);
        let digest = digest(random.next(), settings.seed);
        let mut of: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for _ in 0..(settings.events / HAY).min(PER_NEEDLE_MAX) {
            for kind in KINDS {
                let (slot, host, at) = schedule.place(random.below(settings.events));
                let places = of.entry((slot, host)).or_default();
                // Two at one place: the second is left out.
                if let Err(place) = places.binary_search_by_key(&at, |(at, _)| *at) {
                    places.insert(place, (at, kind));
                }
            }
        }
        Self { of, digest }
    }

    pub(crate) fn of(&self, slot: u32, host: u32) -> &[(u64, NeedleKind)] {
        self.of.get(&(slot, host)).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn list(&self, schedule: &Schedule, hosts: &[Host]) -> Vec<Needle> {
        let occurrences = |kind: NeedleKind| {
            let places = self.of.iter().flat_map(move |(place, needles)| {
                needles.iter().filter(move |(_, of)| *of == kind).map(move |_| place)
            });
            places.filter_map(|(slot, host)| {
                Some(Occurrence {
                    source: hosts.get(*host as usize)?.source.clone(),
                    since: Timestamp::from_micros(schedule.begins(*slot)),
                    until: Timestamp::from_micros(schedule.begins(slot + 1)),
                })
            })
        };
        KINDS
            .into_iter()
            .map(|kind| Needle {
                kind,
                value: match kind {
                    NeedleKind::CommandLine => COMMAND.to_owned(),
                    NeedleKind::Address => NEEDLE_ADDRESS.to_owned(),
                    NeedleKind::Sha256 => self.digest.to_string(),
                },
                occurrences: occurrences(kind).collect(),
            })
            .collect()
    }
}
