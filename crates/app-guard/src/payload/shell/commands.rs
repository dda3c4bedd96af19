//! Words that are commands, and how they are used.

/// How a command is used, and how often its name is just a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Used without arguments, and hardly ever a word of prose: `whoami`.
    Alone,
    /// Used without arguments, and also a word or a name: `id`, `date`.
    AloneCommon,
    /// Used with arguments: `cat`, `ping`, `python`.
    WithArguments,
    /// Used with arguments, and quoted by people who write about programs: `docker`, `python`.
    Tool,
    /// Tells nothing and does nothing: `pwd`.
    Harmless,
}

/// The habit of that command; nothing where it is none.
pub(super) fn habit(name: &[u8]) -> Option<Habit> {
    Some(match name {
        b"get-childitem" | b"get-content" | b"get-process" | b"invoke-webrequest"
        | b"invoke-expression" | b"start-process" | b"new-object" | b"whoami" | b"uname"
        | b"ifconfig" | b"ipconfig" | b"netstat" | b"hostname" | b"printenv" | b"systeminfo"
        | b"tasklist" | b"ls" | b"lsof" | b"dmesg" | b"lsblk" | b"lscpu" | b"ps" | b"sh"
        | b"nslookup" | b"shutdown" | b"reboot" | b"halt" | b"poweroff" | b"phpinfo" | b"ipcs"
        | b"vmstat" | b"getent" | b"iptables" | b"uptime" | b"getmac" | b"arp" | b"quser"
        | b"qwinsta" => Habit::Alone,
        b"id" | b"dir" | b"env" | b"w" | b"set" | b"who" | b"df" | b"mount" | b"last"
        | b"history" | b"ver" | b"vol" | b"export" | b"top" | b"route" | b"jobs" | b"free"
        | b"tree" | b"groups" | b"users" | b"bash" | b"powershell" | b"cmd" | b"ss" | b"ip" => {
            Habit::AloneCommon
        }
        b"cat" | b"tac" | b"nl" | b"head" | b"tail" | b"less" | b"more" | b"rev" | b"od"
        | b"xxd" | b"hexdump" | b"strings" | b"base64" | b"base32" | b"wget" | b"curl"
        | b"fetch" | b"lynx" | b"aria2c" | b"nc" | b"ncat" | b"netcat" | b"socat" | b"telnet"
        | b"ssh" | b"scp" | b"ftp" | b"tftp" | b"rsync" | b"ping" | b"ping6" | b"traceroute"
        | b"tracert" | b"dig" | b"nmap" | b"tcpdump" | b"rm" | b"mv" | b"cp" | b"ln" | b"dd"
        | b"chmod" | b"chown" | b"chgrp" | b"mkdir" | b"rmdir" | b"touch" | b"find" | b"grep"
        | b"egrep" | b"fgrep" | b"awk" | b"gawk" | b"sed" | b"tee" | b"xargs" | b"echo"
        | b"printf" | b"sleep" | b"kill" | b"pkill" | b"killall" | b"crontab" | b"useradd"
        | b"adduser" | b"usermod" | b"userdel" | b"passwd" | b"su" | b"sudo" | b"gzip"
        | b"gunzip" | b"mysql" | b"mysqldump" | b"psql" | b"sqlite3" | b"zsh" | b"ksh" | b"csh"
        | b"tcsh" | b"dash" | b"ash" | b"busybox" | b"eval" | b"exec" | b"nohup" | b"mkfifo"
        | b"mknod" | b"pwsh" | b"del" | b"erase" | b"net1" | b"reg" | b"sc" | b"wmic"
        | b"certutil" | b"bitsadmin" | b"mshta" | b"rundll32" | b"regsvr32" | b"cscript"
        | b"wscript" | b"schtasks" | b"taskkill" | b"icacls" | b"timeout" | b"openssl" | b"gdb"
        | b"strace" | b"ed" | b"wc" | b"md5sum" | b"sha256sum" | b"sendmail" | b"xterm"
        | b"tclsh" | b"chsh" | b"visudo" => Habit::WithArguments,
        b"docker" | b"kubectl" | b"make" | b"systemctl" | b"service" | b"apt" | b"apt-get"
        | b"yum" | b"pip" | b"node" | b"python" | b"python2" | b"python3" | b"php" | b"ruby"
        | b"perl" | b"lua" | b"java" | b"gcc" | b"vim" | b"vi" | b"nano" | b"diff" | b"stat"
        | b"file" | b"screen" | b"tar" | b"zip" | b"unzip" | b"mail" | b"script" | b"expect"
        | b"start" | b"net" | b"type" | b"copy" | b"host" | b"sort" | b"cut" | b"tr" | b"at"
        | b"source" => Habit::Tool,
        b"pwd" | b"date" | b"nproc" | b"true" | b"false" | b"cd" | b"which" | b"test"
        | b"basename" | b"dirname" | b"realpath" => Habit::Harmless,
        _ => return None,
    })
}
