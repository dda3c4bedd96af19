//! Consoles and devices, as whole paths.

use super::{CONSOLE, Judged};
use crate::payload::text::slice;

/// Consoles and devices, as whole paths.
pub(super) fn console(segments: &[&[u8]], in_path: bool) -> Option<Judged> {
    let first = segments.first().copied().unwrap_or_default();
    let second = segments.get(1).copied().unwrap_or_default();
    let last = segments.last().copied().unwrap_or_default();
    let actuator =
        segments.iter().position(|segment| *segment == b"actuator").is_some_and(|index| {
            matches!(
                segments.get(index + 1).copied().unwrap_or_default(),
                b"" | b"env"
                    | b"heapdump"
                    | b"threaddump"
                    | b"dump"
                    | b"trace"
                    | b"httptrace"
                    | b"mappings"
                    | b"beans"
                    | b"configprops"
                    | b"gateway"
                    | b"jolokia"
                    | b"logfile"
                    | b"loggers"
                    | b"shutdown"
                    | b"sessions"
                    | b"auditevents"
                    | b"refresh"
                    | b"restart"
                    | b"metrics"
                    | b"conditions"
                    | b"caches"
                    | b"scheduledtasks"
                    | b"jenkins"
                    | b"hystrix.stream"
                    | b"health"
                    | b"info"
            ) && !matches!(segments.get(index + 1).copied(), Some(b"health" | b"info"))
        });
    let pair = matches!(
        (first, second),
        (b"manager", b"html" | b"text" | b"status" | b"jmxproxy")
            | (b"host-manager", b"html")
            | (b"solr", b"admin" | b"select" | b"admin.cgi" | b"#")
            | (b"jenkins", b"script" | b"login" | b"asynchpeople")
            | (b"owa", b"auth" | b"auth.owa")
            | (b"ecp", b"default.flt" | b"current" | b"y.js")
            | (b"autodiscover", b"autodiscover.json" | b"autodiscover.xml")
            | (b"remote", b"login" | b"fgt_lang" | b"logincheck")
            | (b"dana-na", _)
            | (b"dana-cached", _)
            | (b"+cscoe+" | b"+cscot+" | b"+cscol+", _)
            | (b"global-protect", _)
            | (b"ssl-vpn", _)
            | (b"vpn", b"index.html")
            | (b"vpns", _)
            | (b"versa", b"login")
            | (b"sslvpn", _)
            | (b"tmui", _)
            | (b"mgmt", b"tm" | b"shared")
            | (b"gponform", _)
            | (b"boaform", _)
            | (b"goform", _)
            | (b"setup.cgi", _)
            | (b"hnap1", _)
            | (b"_ignition", _)
            | (b"telescope", b"requests")
            | (b"horizon", b"api")
            | (b"druid", b"index.html" | b"indexer" | b"coordinator")
            | (b"nacos", b"v1" | b"")
            | (b"jmx-console" | b"web-console" | b"admin-console" | b"invoker" | b"jbossws", _)
            | (b"wls-wsat" | b"_async" | b"bea_wls_internal" | b"uddiexplorer", _)
            | (b"axis2", b"axis2-admin" | b"services")
            | (b"api", b"jsonws" | b"jolokia")
            | (b"jolokia", _)
            | (b"hudson", _)
            | (b"struts", b"webconsole.html")
            | (b"struts2-showcase" | b"struts2-blank", _)
            | (b"_cat" | b"_nodes" | b"_cluster", _)
            | (b"_all_dbs" | b"_utils", _)
            | (b"_profiler", _)
            | (b"debug", b"default" | b"pprof" | b"vars")
            | (b"rest", b"applinks" | b"tinymce")
            | (b"geoserver", b"web" | b"wfs" | b"ows")
            | (b"webui", b"logoncommand")
            | (b"portal", b"redlion")
            | (b"sdk", b"vimservice" | b"")
            | (b"nice ports,", _)
            | (b"evox", _)
            | (b"zabbix", b"index.php")
            | (b"nagios", b"cgi-bin")
            | (b"cacti", b"graph_view.php" | b"remote_agent.php")
            | (b"vendor", b"phpunit" | b"composer")
            | (b"v2", b"_catalog")
            | (b"containers", b"json")
            | (
                b"server-status" | b"server-info" | b"nginx_status" | b"phpfpm_status" | b"php-fpm",
                b""
            )
            | (b"hystrix.stream" | b"heapdump" | b"threaddump" | b"env.json", b"")
            | (b"trace.axd" | b"elmah.axd", _)
            | (b"login.action" | b"index.action" | b"dologin.action" | b"struts.action", b"")
            | (
                b"currentsetting.htm"
                    | b"getcfg.php"
                    | b"ipcamdesc.xml"
                    | b"device.rsp"
                    | b"picsdesc.xml"
                    | b"rom-0",
                b""
            )
            | (b"rdweb", _)
            | (b"citrix", _)
            | (b"pulse", b"global")
            | (b"aspnet_client", _)
            | (b"_vti_bin" | b"_vti_pvt" | b"_layouts", _)
            | (b"sap", b"bc" | b"admin")
            | (b"irj", b"portal")
            | (b"magicinfo", _)
            | (b"officescan", _)
            | (b"centreon" | b"scadabr" | b"pandora_console" | b"decisioncenter" | b"metasys", _)
            | (b"nifi-api" | b"nifi" | b"geoserver" | b"sonicui" | b"myvpn" | b"vpntunnel", _)
            | (b"owa" | b"ecp", b"auth" | b"current" | b"#")
            | (b"confluence", b"pages" | b"login.action" | b"dologin.action" | b"setup" | b"rest")
            | (b"config_dump" | b"clientaccesspolicy", _)
            | (b"kylin", b"api")
            | (b"luci" | b"webfig", _)
            | (b"console", b"login" | b"console.portal" | b"css")
            | (b"rails", b"info")
            | (
                b"__debug__"
                    | b"axis2-admin"
                    | b"vsphere-client"
                    | b"weblogic"
                    | b"cfide"
                    | b"lucee",
                _
            )
            | (b"isapi" | b"onvif" | b"seeyon" | b"backupmgt" | b"ws_utc", _)
            | (b"sdk", b"weblanguage")
            | (b"latest", b"meta-data" | b"user-data")
            | (b"mysql" | b"db" | b"sql", b"admin" | b"websql" | b"phpmyadmin")
            | (b"examples", b"servlets" | b"jsp")
            | (b"fpm-status" | b"fpm-ping" | b"iisstart.htm" | b"haproxy", b"" | b"stats")
            | (b"script", b"")
    );
    // Products with a folder of their own: alone it is a word, with a page in it a look for the product.
    let product = in_path
        && matches!(
            second,
            b"login"
                | b"login.html"
                | b"app"
                | b"api"
                | b"rest"
                | b"service"
                | b"secure"
                | b"admin"
                | b"explore"
        )
        && matches!(
            first,
            b"kibana"
                | b"grafana"
                | b"airflow"
                | b"teamcity"
                | b"sonarqube"
                | b"artifactory"
                | b"nexus"
                | b"munin"
                | b"jira"
        );
    let manager = segments.windows(2).any(|pair| {
        matches!(
            pair,
            [b"manager", b"html" | b"jmxproxy"] | [b"containers", b"json"] | [b"app", b"kibana"]
        )
    });
    // Nmap asks for pages that nobody has, to see how a server says so.
    let nmap = ["nmaplowercheck", "nmapuppercheck", "nice ports,"]
        .iter()
        .any(|start| first.starts_with(start.as_bytes()));
    let third = segments.iter().any(|segment| {
        matches!(
            *segment,
            b"phpunit"
                | b"thinkphp"
                | b"jmx-console"
                | b"_ignition"
                | b"elmah.axd"
                | b"trace.axd"
                | b"jolokia"
                | b"heapdump"
                | b"gponform"
                | b"winbox"
                | b"logoncommand"
        )
    });
    let dot = last.iter().rposition(|&byte| byte == b'.').map_or(0, |dot| dot + 1);
    let extension = if dot > 1 { slice(last, dot, last.len()) } else { &[] };
    // No program of ours has pages like these.
    let foreign = in_path
        && matches!(
            extension,
            b"asp"
                | b"aspx"
                | b"ashx"
                | b"asmx"
                | b"jsp"
                | b"jspx"
                | b"jspa"
                | b"jhtml"
                | b"cfm"
                | b"cgi"
                | b"fcgi"
                | b"do"
                | b"shtml"
                | b"action"
                | b"axd"
                | b"jsa"
                | b"lasso"
                | b"dll"
        );
    ((actuator
        || pair && first != b"script" && (first, second) != (b"vpn", b"") && first != b"sdk"
        || third
        || product
        || manager
        || nmap
        || segments.starts_with(&[b"level", b"15", b"exec"]))
        && (in_path || segments.len() >= 2)
        || foreign)
        .then_some(CONSOLE)
}
