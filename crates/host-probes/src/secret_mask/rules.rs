//! The tables: which names hold secrets, which programs take them how, which tokens show themselves.

/// How much of a secret argument may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Nothing of it.
    Nothing,
    /// What stands before the first colon, as in `user:password`.
    BeforeColon,
    /// What stands before the first per cent sign, as in `user%password`.
    BeforePercent,
}

impl Keep {
    pub(super) const fn separator(self) -> Option<u8> {
        match self {
            Self::Nothing => None,
            Self::BeforeColon => Some(b':'),
            Self::BeforePercent => Some(b'%'),
        }
    }
}

/// A flag after which a program takes a secret.
#[derive(Debug)]
pub(super) struct FlagRule {
    /// As it is written.
    pub(super) flag: &'static str,
    /// Whether the secret may be the next argument; otherwise it is attached only.
    pub(super) separate: bool,
    /// What may be shown.
    pub(super) keep: Keep,
}

/// The flags of a family of programs.
#[derive(Debug)]
pub(super) struct ProgramRules {
    names: &'static [&'static str],
    flags: &'static [FlagRule],
}

const fn attached(flag: &'static str) -> FlagRule {
    FlagRule { flag, separate: false, keep: Keep::Nothing }
}

const fn separate(flag: &'static str) -> FlagRule {
    FlagRule { flag, separate: true, keep: Keep::Nothing }
}

const fn user_and(flag: &'static str, keep: Keep) -> FlagRule {
    FlagRule { flag, separate: true, keep }
}

const PROGRAMS: &[ProgramRules] = &[
    ProgramRules {
        names: &[
            "mysql",
            "mysqladmin",
            "mysqlbinlog",
            "mysqlcheck",
            "mysqldump",
            "mysqlimport",
            "mysqlshow",
            "mysqlslap",
            "mariadb",
            "mariadb-admin",
            "mariadb-dump",
            "mariadb-import",
            "mycli",
        ],
        flags: &[attached("-p")],
    },
    ProgramRules {
        names: &[
            "sshpass",
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoexport",
            "mongoimport",
            "rdesktop",
            "vncpasswd",
        ],
        flags: &[separate("-p")],
    },
    ProgramRules { names: &["redis-cli", "keydb-cli", "valkey-cli"], flags: &[separate("-a")] },
    ProgramRules {
        names: &["curl"],
        flags: &[
            user_and("--proxy-user", Keep::BeforeColon),
            user_and("--user", Keep::BeforeColon),
            user_and("-u", Keep::BeforeColon),
            user_and("-U", Keep::BeforeColon),
        ],
    },
    ProgramRules {
        names: &["smbclient", "rpcclient", "net", "smbget", "wmic", "winexe"],
        flags: &[user_and("--user", Keep::BeforePercent), user_and("-U", Keep::BeforePercent)],
    },
    ProgramRules {
        names: &["openssl"],
        flags: &[
            user_and("-passin", Keep::BeforeColon),
            user_and("-passout", Keep::BeforeColon),
            user_and("-pass", Keep::BeforeColon),
            separate("-k"),
        ],
    },
    ProgramRules { names: &["zip", "unzip", "sqlcmd", "bcp", "isql"], flags: &[separate("-P")] },
    ProgramRules { names: &["7z", "7za", "7zr", "rar", "unrar"], flags: &[attached("-p")] },
    ProgramRules {
        names: &["ldapsearch", "ldapmodify", "ldapadd", "ldapdelete", "ldapwhoami", "ldappasswd"],
        flags: &[separate("-w"), separate("-s")],
    },
    ProgramRules { names: &["xfreerdp", "wlfreerdp"], flags: &[attached("/p:")] },
    ProgramRules {
        names: &["snmpget", "snmpset", "snmpwalk", "snmpbulkwalk"],
        flags: &[separate("-c"), separate("-A"), separate("-X")],
    },
    ProgramRules { names: &["ipmitool", "impacket-psexec"], flags: &[separate("-P")] },
];

impl ProgramRules {
    /// The rules of the program of this file name.
    pub(super) fn of(name: &[u8]) -> Option<&'static Self> {
        if name.len() > 24 {
            return None;
        }
        let name = name.strip_suffix(b".exe").unwrap_or(name);
        PROGRAMS.iter().find(|rules| rules.names.iter().any(|known| known.as_bytes() == name))
    }

    /// The flag that this word is or begins with.
    pub(super) fn rule(&self, word: &[u8]) -> Option<&'static FlagRule> {
        self.flags.iter().find(|rule| {
            let Some(rest) = word.strip_prefix(rule.flag.as_bytes()) else {
                return false;
            };
            // A long option takes its value after `=` or in the next argument.
            rest.is_empty() || rest.starts_with(b"=") || rule.flag.len() == 2 || rule.flag == "/p:"
        })
    }
}

/// Ends of names, hyphens and underscores left out, whose values are secrets.
const SECRET_ENDINGS: &[&[u8]] = &[
    b"password",
    b"passwd",
    b"passphrase",
    b"secret",
    b"secrets",
    b"token",
    b"apikey",
    b"accesskey",
    b"accesskeyid",
    b"secretkey",
    b"privatekey",
    b"encryptionkey",
    b"signingkey",
    b"masterkey",
    b"authkey",
    b"sharedkey",
    b"accountkey",
    b"storagekey",
    b"sessionkey",
    b"licensekey",
    b"credential",
    b"credentials",
    b"authorization",
    b"userpwd",
    b"passcode",
    b"connectionstring",
    b"sessionid",
    b"authpass",
    b"userpass",
    b"dbpass",
    b"rootpass",
];

/// Last parts of names whose values are secrets.
const SECRET_PARTS: &[&[u8]] = &[b"pass", b"pwd", b"pw", b"jwt", b"cookie", b"psk", b"otp", b"sas"];

/// Names of headers whose whole line is secret.
const HEADERS: &[&[u8]] = &[b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"];

/// Names of more than this many characters are judged by their ends.
const KEY_BYTES_MAX: usize = 48;

/// Whether the value of this name is a secret: `--db-password`, `AWS_SECRET_ACCESS_KEY`, `apiKey`.
pub(super) fn is_secret_key(key: &[u8]) -> bool {
    let tail = key.get(key.len().saturating_sub(KEY_BYTES_MAX)..).unwrap_or(key);
    let mut compact = [0u8; KEY_BYTES_MAX];
    let mut length = 0;
    for (slot, byte) in
        compact.iter_mut().zip(tail.iter().filter(|byte| byte.is_ascii_alphanumeric()))
    {
        *slot = byte.to_ascii_lowercase();
        length += 1;
    }
    let compact = compact.get(..length).unwrap_or_default();
    if SECRET_ENDINGS.iter().any(|ending| compact.ends_with(ending)) {
        return true;
    }
    let last = last_part(tail);
    if SECRET_PARTS.iter().any(|part| last.eq_ignore_ascii_case(part)) {
        return true;
    }
    // Variables of the environment: `STRIPE_KEY=…`, `KEY=…`; `--key file` and `sort -k` are none.
    let is_variable =
        key.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_');
    is_variable && last == b"KEY"
}

/// Whether the name may also stand for a directory: `PWD=/srv`, `STRIPE_KEY=/etc/key.pem`.
pub(super) fn may_be_a_directory(key: &[u8]) -> bool {
    let last = last_part(key);
    last.eq_ignore_ascii_case(b"pwd") || last.eq_ignore_ascii_case(b"key") || key == b"OLDPWD"
}

/// Whether the name is that of a header: its value goes on to the end of the line.
pub(super) fn is_header(key: &[u8]) -> bool {
    HEADERS.iter().any(|header| key.eq_ignore_ascii_case(header))
}

fn last_part(key: &[u8]) -> &[u8] {
    key.rsplit(|byte| matches!(byte, b'-' | b'_' | b'.')).next().unwrap_or_default()
}

/// How a token that shows itself begins, and how long it is at least.
const TOKENS: &[(&[u8], usize)] = &[
    (b"AKIA", 20),
    (b"ASIA", 20),
    (b"AIza", 35),
    (b"eyJ", 24),
    (b"ghp_", 24),
    (b"gho_", 24),
    (b"ghr_", 24),
    (b"ghs_", 24),
    (b"ghu_", 24),
    (b"github_pat_", 24),
    (b"glpat-", 20),
    (b"npm_", 24),
    (b"rwt_", 16),
    (b"sk-", 24),
    (b"sk_live_", 20),
    (b"xoxa-", 16),
    (b"xoxb-", 16),
    (b"xoxp-", 16),
];

/// Whether the word is a token of a known make; then the length of what may be shown of it.
pub(super) fn known_token(word: &[u8]) -> Option<usize> {
    let (prefix, _) =
        TOKENS.iter().find(|(prefix, length)| word.len() >= *length && word.starts_with(prefix))?;
    Some(prefix.len())
}
