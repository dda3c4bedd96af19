use crate::hosts::{self, Host};
use crate::needles::Needles;
use crate::programs::{self, Compiled};
use crate::random::mix;
use crate::requests::Paths;
use crate::schedule::Schedule;
use crate::text::{Filling, PEOPLE};
use crate::{Settings, SettingsError};

/// All that follows from the settings and stays as it is: shared by all parts of the time.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) hosts: Vec<Host>,
    pub(crate) schedule: Schedule,
    pub(crate) needles: Needles,
    pub(crate) paths: Paths,
    programs: Vec<Compiled>,
    beginnings: Vec<Vec<Beginning>>,
}

/// A program that is started on a host by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning {
    pub(crate) program: u16,
    pub(crate) daemon: &'static str,
    pub(crate) weight: u64,
}

const DAY_MICROS: i64 = 86_400_000_000;
/// How often a program gets a new version.
const VERSION_DAYS: u64 = 30;

impl World {
    pub(crate) fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let hosts = hosts::all(&settings);
        let schedule = Schedule::new(&settings, &hosts);
        let needles = Needles::new(&settings, &schedule);
        let of_host = |host: &Host| {
            programs::beginnings(host.role)
                .iter()
                .filter_map(|(name, daemon, weight)| {
                    let program = programs::place(name)?;
                    Some(Beginning { program, daemon, weight: *weight })
                })
                .collect()
        };
        // The first twenty hosts have all roles in their order.
        let beginnings = hosts.iter().take(ROLE_ROUND).map(of_host).collect();
        let (paths, programs) = (Paths::new(), programs::compiled());
        Ok(Self { settings, hosts, schedule, needles, paths, programs, beginnings })
    }

    pub(crate) fn beginnings(&self, host: u32) -> &[Beginning] {
        self.beginnings.get(host as usize % ROLE_ROUND).map_or(&[], Vec::as_slice)
    }

    /// The program at this place, which [`programs::place`] or this table gave.
    #[expect(clippy::indexing_slicing, reason = "places are of this very table")]
    pub(crate) fn program(&self, place: u16) -> &Compiled {
        &self.programs[usize::from(place)]
    }

    #[expect(clippy::indexing_slicing, reason = "the schedule is made of these very hosts")]
    pub(crate) fn host(&self, number: u32) -> &Host {
        &self.hosts[number as usize]
    }

    /// Which version of a program a host has on a day: some have it days before others.
    pub(crate) fn version(&self, host: &Host, program: u16, time: i64) -> u64 {
        let day = time.div_euclid(DAY_MICROS).cast_unsigned();
        let shift = mix(u64::from(program) ^ self.settings.seed) % VERSION_DAYS;
        (day + shift + host.versions % 6) / VERSION_DAYS
    }

    pub(crate) fn filling(&self, person: u8, time: i64) -> Filling<'static> {
        Filling {
            seed: self.settings.seed,
            hosts: self.settings.hosts,
            user: name_of(person),
            day: time.div_euclid(DAY_MICROS).cast_unsigned() % 28 + 1,
        }
    }
}

const ROLE_ROUND: usize = 20;

/// The name of a person.
pub(crate) fn name_of(person: u8) -> &'static str {
    PEOPLE.get(usize::from(person) % PEOPLE.len()).copied().unwrap_or("ada")
}
