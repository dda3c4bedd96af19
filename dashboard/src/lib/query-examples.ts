/** Questions to begin with. */

export interface QueryExample {
  title: string;
  about: string;
  sql: string;
}

export const QUERY_EXAMPLES: readonly QueryExample[] = [
  {
    title: "The newest events",
    about: "What was observed last, everywhere",
    sql: `SELECT time, kind, device_hostname, process_name, process_cmd_line
FROM events
ORDER BY time DESC
LIMIT 200`,
  },
  {
    title: "Refused sign-ins by address",
    about: "Who tries passwords, against whom, in the last day",
    sql: `SELECT src_endpoint_ip, count(*) AS refused,
  count(DISTINCT user_name) AS users, max(time) AS last
FROM events
WHERE kind = 'sign_in' AND status_id = 2 AND time >= ago('24h')
GROUP BY src_endpoint_ip
ORDER BY refused DESC
LIMIT 100`,
  },
  {
    title: "Let in after being refused",
    about: "Sign-ins from an address that failed often before",
    sql: `SELECT src_endpoint_ip, user_name, device_hostname,
  sum(status_id = 2) AS refused, sum(status_id = 1) AS let_in,
  max(CASE WHEN status_id = 1 THEN time END) AS last_let_in
FROM events
WHERE kind = 'sign_in' AND time >= ago('7d')
GROUP BY src_endpoint_ip, user_name, device_hostname
HAVING refused >= 5 AND let_in > 0
ORDER BY refused DESC`,
  },
  {
    title: "Programs seen on one host only",
    about: "What is rare is worth a look",
    sql: `SELECT process_name, min(device_hostname) AS host,
  count(*) AS starts, min(time) AS first
FROM events
WHERE kind = 'process_started' AND time >= ago('7d')
GROUP BY process_name
HAVING count(DISTINCT device_hostname) = 1
ORDER BY starts
LIMIT 200`,
  },
  {
    title: "Downloads that are run",
    about: "Command lines that fetch and pipe into a shell",
    sql: `SELECT time, device_hostname, process_user_name, process_cmd_line
FROM events
WHERE kind = 'process_started'
  AND (process_cmd_line LIKE '%curl %|%sh%' OR process_cmd_line LIKE '%wget %|%sh%')
ORDER BY time DESC
LIMIT 200`,
  },
  {
    title: "Where hosts connect to",
    about: "Addresses outside of our networks, by how many hosts",
    sql: `SELECT dst_endpoint_ip, dst_endpoint_port,
  count(DISTINCT device_hostname) AS hosts, count(*) AS connections
FROM events
WHERE kind = 'connection_opened' AND time >= ago('24h')
  AND dst_endpoint_ip IS NOT NULL
  AND NOT ip_in(dst_endpoint_ip, '10.0.0.0/8')
  AND NOT ip_in(dst_endpoint_ip, '192.168.0.0/16')
  AND NOT ip_in(dst_endpoint_ip, '127.0.0.0/8')
GROUP BY dst_endpoint_ip, dst_endpoint_port
ORDER BY connections DESC
LIMIT 200`,
  },
  {
    title: "Web requests that fail",
    about: "Paths and clients behind errors of the last hour",
    sql: `SELECT http_response_code, http_request_url_path, src_endpoint_ip,
  count(*) AS requests
FROM events
WHERE kind = 'http_request' AND http_response_code >= 400 AND time >= ago('1h')
GROUP BY 1, 2, 3
ORDER BY requests DESC
LIMIT 200`,
  },
  {
    title: "Events by kind and hour",
    about: "Counts over time, for the last day",
    sql: `SELECT time_bucket('1h', time) AS hour, kind, count(*) AS events
FROM events
WHERE time >= ago('24h')
GROUP BY hour, kind
ORDER BY hour DESC, events DESC`,
  },
  {
    title: "Open alerts and their hosts",
    about: "What waits, with who reports it",
    sql: `SELECT a.last_seen, a.severity, a.title, a.count, h.hostname, h.online
FROM alerts AS a LEFT JOIN hosts AS h ON h.id = a.source
WHERE a.state = 'open'
ORDER BY a.severity_id DESC, a.last_seen DESC`,
  },
];
