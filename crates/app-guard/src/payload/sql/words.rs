//! Words of SQL and what they say about a value.

/// Functions that prose does not call and attacks do.
pub(crate) fn is_attack_function(word: &[u8]) -> bool {
    matches!(
        word,
        b"sleep"
            | b"benchmark"
            | b"pg_sleep"
            | b"pg_sleep_for"
            | b"pg_sleep_until"
            | b"pg_read_binary_file"
            | b"pg_stat_file"
            | b"lo_get"
            | b"lo_put"
            | b"lo_from_bytea"
            | b"table_to_xml"
            | b"schema_to_xml"
            | b"cursor_to_xml"
            | b"gtid_subtract"
            | b"master_pos_wait"
            | b"get_lock"
            | b"sys_context"
            | b"httpuritype"
            | b"openquery"
            | b"fn_xe_file_target_read_file"
            | b"fn_trace_gettable"
            | b"fts3_tokenizer"
            | b"load_file"
            | b"extractvalue"
            | b"updatexml"
            | b"randomblob"
            | b"zeroblob"
            | b"load_extension"
            | b"pg_read_file"
            | b"pg_ls_dir"
            | b"lo_import"
            | b"lo_export"
            | b"query_to_xml"
            | b"database_to_xml"
            | b"dblink"
            | b"dblink_connect"
            | b"openrowset"
            | b"opendatasource"
            | b"xp_cmdshell"
            | b"xmltype"
            | b"gtid_subset"
            | b"name_const"
            | b"ctxsys.drithsx.sn"
            | b"sys_eval"
            | b"sys_exec"
    ) || [&b"dbms_"[..], b"utl_", b"sys.dbms_", b"sys.utl_", b"pg_catalog.pg_sleep"]
        .iter()
        .any(|prefix| word.starts_with(prefix))
}

/// Functions of SQL, as they follow a condition or `select`.
pub(crate) fn is_function(word: &[u8]) -> bool {
    is_attack_function(word)
        || matches!(
            word,
            b"ascii"
                | b"ord"
                | b"substring"
                | b"substr"
                | b"mid"
                | b"length"
                | b"len"
                | b"char_length"
                | b"char"
                | b"chr"
                | b"count"
                | b"database"
                | b"schema"
                | b"version"
                | b"user"
                | b"current_user"
                | b"session_user"
                | b"system_user"
                | b"db_name"
                | b"user_name"
                | b"suser_name"
                | b"host_name"
                | b"if"
                | b"iif"
                | b"ifnull"
                | b"nullif"
                | b"isnull"
                | b"coalesce"
                | b"like"
                | b"row"
                | b"elt"
                | b"make_set"
                | b"hex"
                | b"unhex"
                | b"concat"
                | b"concat_ws"
                | b"group_concat"
                | b"string_agg"
                | b"left"
                | b"right"
                | b"lower"
                | b"upper"
                | b"cast"
                | b"convert"
                | b"json_extract"
                | b"json_keys"
                | b"json_array"
                | b"exp"
                | b"floor"
                | b"rand"
                | b"bin"
                | b"md5"
                | b"sha1"
                | b"instr"
                | b"locate"
                | b"position"
                | b"strcmp"
                | b"replace"
                | b"reverse"
                | b"upper_case"
                | b"sysdate"
                | b"now"
                | b"unicode"
                | b"quote"
                | b"case"
                | b"exists"
                | b"pow"
                | b"crypt_key"
                | b"current_database"
                | b"current_setting"
                | b"sqlite_version"
                | b"typeof"
                | b"total_changes"
                | b"greatest"
                | b"least"
                | b"polygon"
                | b"multipoint"
                | b"geometrycollection"
                | b"linestring"
                | b"to_char"
                | b"nvl"
                | b"decode"
                | b"bitand"
                | b"pi"
                | b"substring_index"
                | b"unistr"
                | b"likely"
                | b"unlikely"
                | b"likelihood"
                | b"xmlelement"
        )
}

/// Tables and views that describe the database itself.
pub(crate) fn is_catalog(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"`").unwrap_or(word);
    let word = word.strip_suffix(b"`").unwrap_or(word);
    [
        &b"information_schema."[..],
        b"mysql.",
        b"pg_catalog.",
        b"performance_schema.",
        b"sys.",
        b"master.",
        b"master..",
        b"msdb.",
        b"pg_shadow",
        b"pg_user",
        b"pg_tables",
        b"pg_database",
        b"pg_stat",
        b"v$version",
        b"sqlite_master",
        b"sqlite_schema",
        b"sqlite_temp_master",
        b"sysobjects",
        b"syscolumns",
        b"sysusers",
        b"sysdatabases",
        b"all_tables",
        b"all_tab_columns",
        b"user_tables",
        b"user_tab_columns",
        b"dba_users",
        b"msysobjects",
        b"rdb$",
    ]
    .iter()
    .any(|name| word.starts_with(name))
        || word == b"information_schema"
        || word == b"dual"
}

/// Names that tables with accounts have.
pub(crate) fn is_account_table(word: &[u8]) -> bool {
    let name = word.rsplit(|&byte| byte == b'.').next().unwrap_or(word);
    matches!(
        name,
        b"users"
            | b"user"
            | b"admin"
            | b"admins"
            | b"accounts"
            | b"members"
            | b"customers"
            | b"logins"
            | b"credentials"
            | b"passwords"
            | b"employees"
            | b"wp_users"
            | b"tbluser"
            | b"auth_user"
            | b"app_users"
    )
}

/// Columns that accounts have.
pub(crate) fn is_account_column(word: &[u8]) -> bool {
    let name = word.rsplit(|&byte| byte == b'.').next().unwrap_or(word);
    matches!(
        name,
        b"password"
            | b"passwd"
            | b"pass"
            | b"pwd"
            | b"username"
            | b"user"
            | b"login"
            | b"email"
            | b"userid"
            | b"user_id"
            | b"uid"
            | b"id"
            | b"name"
            | b"hash"
            | b"secret"
            | b"token"
            | b"password_hash"
            | b"creditcard"
            | b"ssn"
            | b"salt"
            | b"user_pass"
            | b"user_login"
    )
}

/// Verbs that begin a statement and change or show something.
pub(crate) fn begins_statement(word: &[u8]) -> bool {
    matches!(
        word,
        b"select"
            | b"insert"
            | b"update"
            | b"delete"
            | b"drop"
            | b"create"
            | b"alter"
            | b"truncate"
            | b"exec"
            | b"execute"
            | b"declare"
            | b"waitfor"
            | b"shutdown"
            | b"grant"
            | b"revoke"
            | b"copy"
            | b"merge"
            | b"replace"
            | b"call"
            | b"handler"
            | b"begin"
            | b"if"
            | b"set"
            | b"use"
            | b"load"
            | b"attach"
            | b"pragma"
            | b"vacuum"
            | b"backup"
            | b"kill"
            | b"rename"
            | b"do"
            | b"with"
            | b"commit"
            | b"rollback"
            | b"reconfigure"
            | b"dbcc"
            | b"prepare"
    )
}

/// What `drop`, `create` and `alter` take.
pub(crate) fn is_schema_object(word: &[u8]) -> bool {
    matches!(
        word,
        b"table"
            | b"database"
            | b"schema"
            | b"view"
            | b"index"
            | b"user"
            | b"login"
            | b"column"
            | b"procedure"
            | b"function"
            | b"trigger"
            | b"role"
            | b"temporary"
            | b"sequence"
            | b"extension"
            | b"alias"
            | b"or"
            | b"unique"
    )
}
