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
        | b"qwinsta" | b"htop" | b"aptitude" | b"apt-cache" | b"lsmod" | b"lspci" | b"lsusb"
        | b"blkid" | b"journalctl" | b"hostnamectl" | b"driverquery" | b"gpresult" | b"klist"
        | b"nbtstat" | b"getcap" | b"sysctl" | b"lastlog" | b"ifup" | b"pkexec" | b"vipw"
        | b"pstree" | b"dmidecode" | b"irb" => Habit::Alone,
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
        | b"tclsh" | b"chsh" | b"visudo" | b"nawk" | b"mawk" | b"bzip2" | b"bunzip2" | b"xz"
        | b"unxz" | b"xzcat" | b"zcat" | b"zgrep" | b"zless" | b"uuencode" | b"uudecode"
        | b"basenc" | b"base58" | b"cpio" | b"bsdtar" | b"dpkg" | b"rpm" | b"dnf" | b"pacman"
        | b"zypper" | b"apk" | b"tshark" | b"hping3" | b"whois" | b"smbclient" | b"sshpass"
        | b"ssh-keygen" | b"ssh-keyscan" | b"setsid" | b"stdbuf" | b"taskset" | b"nsenter"
        | b"unshare" | b"ionice" | b"setfacl" | b"getfacl" | b"insmod" | b"modprobe" | b"nmcli"
        | b"ltrace" | b"valgrind" | b"w3m" | b"openvpn" | b"systemd-run" | b"start-stop-daemon"
        | b"chpasswd" | b"gpasswd" | b"groupadd" | b"findstr" | b"netsh" | b"wevtutil"
        | b"vssadmin" | b"bcdedit" | b"cacls" | b"takeown" | b"cmdkey" | b"nltest" | b"fsutil"
        | b"msbuild" | b"msiexec" | b"installutil" | b"forfiles" | b"esentutl" | b"extrac32"
        | b"odbcconf" | b"pcalua" | b"iwr" | b"irm" | b"iex" | b"jrunscript" | b"rlwrap"
        | b"tmux" => Habit::WithArguments,
        b"git" | b"gem" | b"ansible" | b"puppet" | b"docker" | b"kubectl" | b"make"
        | b"systemctl" | b"service" | b"apt" | b"apt-get" | b"yum" | b"pip" | b"node"
        | b"python" | b"python2" | b"python3" | b"php" | b"ruby" | b"perl" | b"lua" | b"java"
        | b"gcc" | b"vim" | b"vi" | b"nano" | b"diff" | b"stat" | b"file" | b"screen" | b"tar"
        | b"zip" | b"unzip" | b"mail" | b"script" | b"expect" | b"start" | b"net" | b"type"
        | b"copy" | b"host" | b"sort" | b"cut" | b"tr" | b"at" | b"source" => Habit::Tool,
        b"pwd" | b"date" | b"nproc" | b"true" | b"false" | b"cd" | b"which" | b"test"
        | b"basename" | b"dirname" | b"realpath" => Habit::Harmless,
        _ => return None,
    })
}
