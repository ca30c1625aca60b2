/* Every textual form of a timestamp with what it must give, and what looks like one and is none.
 * Each line goes through stamp_find as the first of its file, so nothing is remembered. */
#include "agent/stamp/stamp.h"

#include "agent/stamp/stamp_forms.h"
#include "common/civil.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW_US INT64_C(1795327200000000) /* 2026-11-22T06:00:00Z */

struct example {
	const char *line;
	const char *expected; /* NULL: no timestamp */
};

/* The time found, as text; "none" when there is none. */
static const char *found(const char *zone, const char *line, int64_t now_us)
{
	static char text[CIVIL_TIME_LEN + 1];
	struct stamp *s;
	const char *why = NULL;
	ck_assert_int_eq(stamp_new("auto", zone, &s, &why), 0);
	struct stamp_memory memory = {0};
	int64_t us = -1;
	int r = stamp_find(s, &memory, span_of(line), now_us, &us);
	ck_assert(r == 0 || r == 1);
	stamp_free(s);
	if (r == 0)
		return "none";
	civil_format_us(text, us);
	text[CIVIL_TIME_LEN] = '\0';
	return text;
}

static void hold(const char *zone, const struct example *e)
{
	const char *expected = e->expected ? e->expected : "none";
	const char *is = found(zone, e->line, NOW_US);
	ck_assert_msg(strcmp(is, expected) == 0, "%s\n  gives     %s\n  and not   %s", e->line, is,
		      expected);
}

#define N(array) (int)(sizeof(array) / sizeof(*(array)))

/* --- what must be taken; the zone is +02:00 where the line does not say --- */

static const struct example iso[] = {
	{"2026-11-22T05:40:00Z up", "2026-11-22T05:40:00.000000Z"},
	{"2026-11-22T05:40:00.123Z up", "2026-11-22T05:40:00.123000Z"},
	{"2026-11-22T05:40:00.123456789Z up", "2026-11-22T05:40:00.123456Z"},
	{"2026-11-22T05:40:00.9999999Z up", "2026-11-22T05:40:00.999999Z"},
	{"2026-11-22t05:40:00.1z up", "2026-11-22T05:40:00.100000Z"},
	{"2026-11-22T05:40:00,123Z up", "2026-11-22T05:40:00.123000Z"},
	{"2026-11-22T05:40:00+01:00 up", "2026-11-22T04:40:00.000000Z"},
	{"2026-11-22T05:40:00.5+0100 up", "2026-11-22T04:40:00.500000Z"},
	{"2026-11-22T05:40:00-03 up", "2026-11-22T08:40:00.000000Z"},
	{"2026-11-22T05:40:00-03:30 up", "2026-11-22T09:10:00.000000Z"},
	{"2026-11-22T05:40:00+14:00 up", "2026-11-21T15:40:00.000000Z"},
	{"2026-11-22T05:40:00+23:59 up", "2026-11-21T05:41:00.000000Z"},
	{"2026-11-22T05:40:00-00:00 up", "2026-11-22T05:40:00.000000Z"},
	{"2026-11-22 05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22 05:40:00.123456 up", "2026-11-22T03:40:00.123456Z"},
	{"2026-11-22 05:40:00,123 INFO up", "2026-11-22T03:40:00.123000Z"},
	{"2026-11-22 05:40:00 +0000 up", "2026-11-22T05:40:00.000000Z"},
	{"2026-11-22 05:40:00 -0400 EDT up", "2026-11-22T09:40:00.000000Z"},
	{"2026-11-22 05:40:00.5 +01:00 [INF] up", "2026-11-22T04:40:00.500000Z"},
	{"2026-11-22 05:40:00.123 UTC [12] LOG:  up", "2026-11-22T05:40:00.123000Z"},
	{"2026-11-22 05:40:00.123 GMT [12] LOG:  up", "2026-11-22T05:40:00.123000Z"},
	{"2026-11-22 05:40:00.123 CET [12] LOG:  up", "2026-11-22T04:40:00.123000Z"},
	{"2026-11-22 05:40:00.123 CEST [12] LOG:  up", "2026-11-22T03:40:00.123000Z"},
	{"2026-11-22 05:40:00 +03 [12] LOG:  up", "2026-11-22T02:40:00.000000Z"},
	{"2026-11-22 05:40:00 WAT [12] up",
	 "2026-11-22T03:40:00.000000Z"}, /* not known: configured */
	{"2026-11-22 05:40:00 ALERT up", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22 05:40:00 - INFO  [main] up", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22 05:40:00 -5 degrees", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22 05:40:00 -1234 items", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22 05:40:00 +1500 items", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22 05:40:00, Info   CBS    Loaded", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22 05:40:00,42,column", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22 05:40:00: (server.c.1) up", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22 05:40:00:123 up", "2026-11-22T03:40:00.123000Z"},
	{"2026-11-22  05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22  5:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22\t05:40:00\tIAD", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22_05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22-05.40.00.675872 up", "2026-11-22T03:40:00.675872Z"},
	{"2026-11-22 05:40 up", "2026-11-22T03:40:00.000000Z"},
	{"[2026-11-22 05:40] [ALPM] up", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22T05:40Z up", "2026-11-22T05:40:00.000000Z"},
	{"2026/11/22 05:40:00 [error] 12#12: *1 open()", "2026-11-22T03:40:00.000000Z"},
	{"2026/11/22 05:40:00.123456 main.go:12: up", "2026-11-22T03:40:00.123456Z"},
	{"2026.11.22 05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22T05:40:00Z", "2026-11-22T05:40:00.000000Z"},
	{"2026-11-22T05:40:00Z\r", "2026-11-22T05:40:00.000000Z"},
	{"2026-11-22 05:40:00\r", "2026-11-22T03:40:00.000000Z"},
	{"2026-11-22T05:40:00.123456Z 0 [Note] mysqld", "2026-11-22T05:40:00.123456Z"},
	{"2026-11-22T05:40:00.123+0000 I NETWORK  [conn1] up", "2026-11-22T05:40:00.123000Z"},
	{"2026-11-22T05:40:00.123456789Z stdout F hello", "2026-11-22T05:40:00.123456Z"},
	{"2026 Nov 22 05:40:00 switch %USER-3: up", "2026-11-22T03:40:00.000000Z"},
	{"2026-Nov-22 05:40:00.123456 up", "2026-11-22T03:40:00.123456Z"},
	{"2026-12-31T23:59:60Z leap", "2026-12-31T23:59:59.999999Z"},
	{"2026-12-31T23:59:60.25+00:00 leap", "2026-12-31T23:59:59.999999Z"},
	{"2024-02-29T00:00:00Z up", "2024-02-29T00:00:00.000000Z"},
	{"1970-01-01T00:00:00Z up", "1970-01-01T00:00:00.000000Z"},
	{"9999-12-31T23:59:59.999999Z up", "9999-12-31T23:59:59.999999Z"},
	{"20261122T054000Z up", "2026-11-22T05:40:00.000000Z"},
	{"20261122T054000.123456+0100 up", "2026-11-22T04:40:00.123456Z"},
	{"20261122T05:40:00Z up", "2026-11-22T05:40:00.000000Z"},
	{"20261122 05:40:00.123 up", "2026-11-22T03:40:00.123000Z"},
	{"20261122-22:15:29:606|Step_LSC|300|up", "2026-11-22T20:15:29.606000Z"},
	{"20261122-23:21:0:5|Step_LSC|300|up", "2026-11-22T21:21:00.005000Z"},
	{"20261122-0:1:2:34|Step_LSC|300|up", "2026-11-21T22:01:02.034000Z"},
};

static const struct example names[] = {
	{"Nov 22 05:40:00 web-1 sshd[7]: up", "2026-11-22T03:40:00.000000Z"},
	{"Nov 22 05:40:00.123456 web-1 sshd[7]: up", "2026-11-22T03:40:00.123456Z"},
	{"Nov  2 05:40:00 web-1 sshd[7]: up", "2026-11-02T03:40:00.000000Z"},
	{"Nov 2 05:40:00 web-1 sshd[7]: up", "2026-11-02T03:40:00.000000Z"},
	{"nov 02 05:40:00 web-1 sshd[7]: up", "2026-11-02T03:40:00.000000Z"},
	{"Nov 22 05:40:00 EST web-1",
	 "2026-11-22T03:40:00.000000Z"}, /* a host's name, for all we know */
	{"Nov 22 05:40:00.123 UTC: %SYS-5-CONFIG_I: up", "2026-11-22T05:40:00.123000Z"},
	{"Nov 22 2026 05:40:00: %ASA-6-302013: up", "2026-11-22T03:40:00.000000Z"},
	{"Nov 22 2025 05:40:00 web-1 up", "2025-11-22T03:40:00.000000Z"},
	{"Nov 22, 2026 5:40:00 AM com.acme.Main main", "2026-11-22T03:40:00.000000Z"},
	{"Nov 22, 2026 12:40:00 AM com.acme.Main main", "2026-11-21T22:40:00.000000Z"},
	{"Nov 22, 2026 12:40:00 PM com.acme.Main main", "2026-11-22T10:40:00.000000Z"},
	{"Nov 22, 2026 5:40:00\xe2\x80\xafPM com.acme.Main main", "2026-11-22T15:40:00.000000Z"},
	{"Nov 22, 2026 @ 05:40:00.123 up", "2026-11-22T03:40:00.123000Z"},
	{"<34>Nov 22 05:40:00 web-1 su: up", "2026-11-22T03:40:00.000000Z"},
	{"<165>1 2026-11-22T05:40:00.003Z web-1 app - - up", "2026-11-22T05:40:00.003000Z"},
	{"<34>2026-11-22T05:40:00Z web-1 up", "2026-11-22T05:40:00.000000Z"},
	{"[Sun Nov 22 05:40:00 2026] [error] up", "2026-11-22T03:40:00.000000Z"},
	{"[Sun Nov 22 05:40:00.123456 2026] [core:error] up", "2026-11-22T03:40:00.123456Z"},
	{"Sun Nov 22 05:40:00 2026 [pid 12] CONNECT", "2026-11-22T03:40:00.000000Z"},
	{"Sun Nov  1 05:40:00 2026 up", "2026-11-01T03:40:00.000000Z"},
	{"Sun Nov 22 05:40:00 UTC 2026", "2026-11-22T05:40:00.000000Z"},
	{"Sun Nov 22 05:40:00 AM CET 2026", "2026-11-22T04:40:00.000000Z"},
	{"Sun 22 Nov 2026 05:40:00 AM CET", "2026-11-22T04:40:00.000000Z"},
	{"Sun 22 Nov 05:40:00 GMT 2026", "2026-11-22T05:40:00.000000Z"},
	{"Sun, 22 Nov 2026 05:40:00 +0000 up", "2026-11-22T05:40:00.000000Z"},
	{"Sun, 2 Nov 2025 05:40:00 GMT up", "2025-11-02T05:40:00.000000Z"},
	{"Sun Nov 22 2026 05:40:00 GMT+0200 (CEST) up", "2026-11-22T03:40:00.000000Z"},
	{"12345:M 22 Nov 2026 05:40:00.123 * Ready", "2026-11-22T03:40:00.123000Z"},
	{"[12345] 22 Nov 05:40:00.123 * Ready", "2026-11-22T03:40:00.123000Z"},
	{"22-Nov-2026 05:40:00.123 queries: info: up", "2026-11-22T03:40:00.123000Z"},
	{"[22-Nov-2026 05:40:00] NOTICE: fpm is running", "2026-11-22T03:40:00.000000Z"},
	{"[22-Nov-2026 05:40:00 UTC] PHP Warning: up", "2026-11-22T05:40:00.000000Z"},
	{"=INFO REPORT==== 22-Nov-2026::05:40:00 ===", "2026-11-22T03:40:00.000000Z"},
	{"22-Nov-26 05:40:00 GMT up", "2026-11-22T05:40:00.000000Z"},
	{"####<Nov 22, 2026 5:40:00 AM CET> <Notice> <Server>", "2026-11-22T04:40:00.000000Z"},
};

static const struct example access_logs[] = {
	{"127.0.0.1 - - [22/Nov/2026:05:40:00 +0000] \"GET / HTTP/1.1\" 200 5",
	 "2026-11-22T05:40:00.000000Z"},
	{"127.0.0.1 - frank [22/Nov/2026:05:40:00 -0700] \"GET / HTTP/1.1\" 200 5",
	 "2026-11-22T12:40:00.000000Z"},
	{"localhost - frank ray [22/Nov/2026:05:40:00 +0000] \"GET /\" 200 5",
	 "2026-11-22T05:40:00.000000Z"},
	{"2001:db8::1 - - [22/Nov/2026:05:40:00 +0000] \"GET /\" 200 5",
	 "2026-11-22T05:40:00.000000Z"},
	{"www.example.com:443 10.0.0.1 - - [22/Nov/2026:05:40:00 +0000] \"GET /\" 200 5",
	 "2026-11-22T05:40:00.000000Z"},
	{"[22/Nov/2026 05:40:00] \"GET / HTTP/1.1\" 200 5", "2026-11-22T03:40:00.000000Z"},
	{"10.0.1.2:33317 [22/Nov/2026:05:40:00.655] http-in static/srv1",
	 "2026-11-22T03:40:00.655000Z"},
	{"I [22/Nov/2026:05:40:00 +0000] Listening", "2026-11-22T05:40:00.000000Z"},
	{"[pid: 12|app: 0|req: 1/1] 127.0.0.1 () {34 vars in 500 bytes} [Sun Nov 22 "
	 "05:40:00 2026] GET /",
	 "2026-11-22T03:40:00.000000Z"},
};

static const struct example prefixes[] = {
	{"INFO 2026-11-22T05:40:00Z up", "2026-11-22T05:40:00.000000Z"},
	{"INFO: 2026-11-22T05:40:00Z up", "2026-11-22T05:40:00.000000Z"},
	{"INFO  [main] 2026-11-22 05:40:00,123 Main.java:12 - up", "2026-11-22T03:40:00.123000Z"},
	{"[INFO] 2026-11-22T05:40:00Z up", "2026-11-22T05:40:00.000000Z"},
	{"[INFO][2026-11-22T05:40:00Z] up", "2026-11-22T05:40:00.000000Z"},
	{"[2026-11-22T05:40:00,123][INFO ][o.e.n.Node] up", "2026-11-22T03:40:00.123000Z"},
	{"[2026-11-22 05:40:00 +0000] [12] [INFO] up", "2026-11-22T05:40:00.000000Z"},
	{"[2026-11-22 05:40:00,123: INFO/MainProcess] up", "2026-11-22T03:40:00.123000Z"},
	{"[2026/11/22 05:40:00.123456,  0] ../source/x.c", "2026-11-22T03:40:00.123456Z"},
	{"I, [2026-11-22T05:40:00.123456 #1234]  INFO -- : up", "2026-11-22T03:40:00.123456Z"},
	{"web-1   | 2026-11-22T05:40:00Z up", "2026-11-22T05:40:00.000000Z"},
	{"web | 2026-11-22T05:40:00Z up", "2026-11-22T05:40:00.000000Z"},
	{"myprog: 2026/11/22 05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"Start-Date: 2026-11-22  05:40:00", "2026-11-22T03:40:00.000000Z"},
	{"update-alternatives 2026-11-22 05:40:00: run with", "2026-11-22T03:40:00.000000Z"},
	{"\x1b[2m2026-11-22T05:40:00Z\x1b[0m \x1b[32m INFO\x1b[0m up",
	 "2026-11-22T05:40:00.000000Z"},
	{"\x1b[32mINFO\x1b[0m 2026-11-22T05:40:00Z up", "2026-11-22T05:40:00.000000Z"},
	{"\xef\xbb\xbf"
	 "2026-11-22T05:40:00Z up",
	 "2026-11-22T05:40:00.000000Z"},
	{"nova-api.log.1.2017-05-16_13:53:08 2026-11-22 05:40:00.008 25746 INFO up",
	 "2026-11-22T03:40:00.008000Z"},
	{"h2 2026-11-22T05:40:00.123456Z app/lb/5 10.0.0.1:5", "2026-11-22T05:40:00.123456Z"},
	{"level=info ts=2026-11-22T05:40:00.5Z caller=main.go:5 msg=up",
	 "2026-11-22T05:40:00.500000Z"},
	{"ts=2026-11-22T05:40:00.5Z level=info msg=up", "2026-11-22T05:40:00.500000Z"},
	{"time=\"2026-11-22T05:40:00Z\" level=info msg=up", "2026-11-22T05:40:00.000000Z"},
	{"time=\"2026-11-22 05:40:00\" level=info msg=up", "2026-11-22T03:40:00.000000Z"},
	{"level=info msg=\"two words\" time=2026-11-22T05:40:00Z", "2026-11-22T05:40:00.000000Z"},
	{"t=1795326000 lvl=info msg=up", "2026-11-22T05:40:00.000000Z"},
	{"ts=1795326000.123 level=info msg=up", "2026-11-22T05:40:00.123000Z"},
	{"logger=x t=2026-11-22T05:40:00+01:00 level=info", "2026-11-22T04:40:00.000000Z"},
	{"type=SYSCALL msg=audit(1795326000.123:456): arch=c000003e",
	 "2026-11-22T05:40:00.123000Z"},
	{"node=web-1 type=CWD msg=audit(1795326000.123:456): cwd=\"/\"",
	 "2026-11-22T05:40:00.123000Z"},
};

static const struct example odd_ones[] = {
	{"1795326000 up", "2026-11-22T05:40:00.000000Z"},
	{"1795326000.123 up", "2026-11-22T05:40:00.123000Z"},
	{"1795326000.123456789 up", "2026-11-22T05:40:00.123456Z"},
	{"1795326000123 up", "2026-11-22T05:40:00.123000Z"},
	{"1795326000123456 up", "2026-11-22T05:40:00.123456Z"},
	{"1795326000123456789 up", "2026-11-22T05:40:00.123456Z"},
	{"[1795326000.5] up", "2026-11-22T05:40:00.500000Z"},
	{"1795326000.123     45 10.0.0.1 TCP_MISS/200 5 GET", "2026-11-22T05:40:00.123000Z"},
	{"1795326000.123456\tCabc\t10.0.0.1", "2026-11-22T05:40:00.123456Z"},
	{"1795326000,up", "2026-11-22T05:40:00.000000Z"},
	{"- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.675872 "
	 "R02-M1 RAS KERNEL "
	 "INFO up",
	 "2005-06-03T22:42:50.675872Z"},
	{"KERNDTLB 1117838570 2005.06.03 R02-M1 "
	 "2005-06-03-15.42.50.675872 R02-M1 RAS",
	 "2005-06-03T22:42:50.675872Z"},
	{"- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.51.675872 "
	 "R02-M1 RAS", /* another
			  second
			*/
	 "2005-06-03T22:42:50.000000Z"},
	{"- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 "
	 "crond[1]: up",
	 "2005-11-09T20:01:01.000000Z"},
	{"134681 node-246 unix.hw state_change.unavailable 1077804742 1 "
	 "Component",
	 "2004-02-26T14:12:22.000000Z"},
	{"2286759 full partition status 1061219795 -1 running", "2003-08-18T15:16:35.000000Z"},
	{"081109 203615 148 INFO dfs.DataNode: up", "2008-11-09T18:36:15.000000Z"},
	{"081109 203615 WARN dfs.DataNode: up", "2008-11-09T18:36:15.000000Z"},
	{"17/06/09 20:10:40 INFO executor.Backend: up", "2017-06-09T18:10:40.000000Z"},
	{"99/06/09 20:10:40 INFO executor.Backend: up", "1999-06-09T18:10:40.000000Z"},
	{"03-17 16:13:38.811  1702  2395 D WindowManager: up", "2026-03-17T14:13:38.811000Z"},
	{"[10.30 16:49:06] chrome.exe - proxy:5070 open", "2026-10-30T14:49:06.000000Z"},
	{"I1122 05:40:00.123456 1234 f.cc:1] up", "2026-11-22T03:40:00.123456Z"},
	{"E20261122 05:40:00.123456 1234 f.cc:1] up", "2026-11-22T03:40:00.123456Z"},
	{"22.11.2026 05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"2.1.2026, 05:40:00 up", "2026-01-02T03:40:00.000000Z"},
	{"11/22/2026 5:40:00 AM up", "2026-11-22T03:40:00.000000Z"},
	{"1/2/2026, 5:40:00 PM up", "2026-01-02T15:40:00.000000Z"},
	{"11/22/2026-05:40:00.123456  [**] [1:1:1] up", "2026-11-22T03:40:00.123456Z"},
	{"@400000006b02803a075bca00 up", "2026-11-22T05:40:00.123456Z"},
};

/* --- what must not be taken --- */

static const struct example none[] = {
	/* no time at all */
	{"", NULL},
	{"\r", NULL},
	{"up and running", NULL},
	{"{", NULL},
	{"[", NULL},
	{"<34>", NULL},
	{"\x1b[", NULL},
	{"\xef\xbb\xbf", NULL},
	/* white space first: it goes on with the line before */
	{"    at com.acme.Foo.bar(Foo.java:12)", NULL},
	{"    at Foo.java (2026-11-22T05:40:00Z)", NULL},
	{" 2026-11-22T05:40:00Z up", NULL},
	{"\t2026-11-22T05:40:00Z up", NULL},
	/* a text that mentions a date */
	{"Backup of 2026-11-21 05:40:00 is done", NULL},
	{"Caused by: bad date 2026-11-21 05:40:00", NULL},
	{"the last run was on Nov 22 05:40:00", NULL},
	{"Waiting until (2026-11-22 05:40:00) comes", NULL},
	{"insert into t values ('2026-11-22 05:40:00')", NULL},
	{"message with a date far inside, behind all that is looked at, and words that "
	 "tell that it is a "
	 "text and no log prefix: 2026-11-22T05:40:00Z",
	 NULL},
	{"expires=2026-11-22T05:40:00Z user=7", NULL},
	{"path=\"/a b\" until=\"2026-11-22T05:40:00Z\"", NULL},
	/* no such day, no such time */
	{"2026-02-30T05:40:00Z up", NULL},
	{"2026-02-29 05:40:00 up", NULL},
	{"2026-13-22T05:40:00Z up", NULL},
	{"2026-00-22T05:40:00Z up", NULL},
	{"2026-11-00T05:40:00Z up", NULL},
	{"2026-11-31T05:40:00Z up", NULL},
	{"2026-11-22T24:00:00Z up", NULL},
	{"2026-11-22T05:60:00Z up", NULL},
	{"2026-11-22T05:40:61Z up", NULL},
	{"1969-12-31T23:59:59Z up", NULL},
	{"1970-01-01T00:00:00+02:00 up", NULL},
	{"0000-00-00 00:00:00 up", NULL},
	{"Nov 31 05:40:00 web-1 up", NULL},
	{"Nov 22 25:40:00 web-1 up", NULL},
	{"Foo 22 05:40:00 web-1 up", NULL},
	{"Novel 22 05:40:00 web-1 up", NULL},
	{"[32/Nov/2026:05:40:00 +0000] up", NULL},
	/* half a timestamp */
	{"2026-11-22 up", NULL},
	{"2026-11-22", NULL},
	{"2026-11-22T", NULL},
	{"2026-11-22T05:40:0", NULL},
	{"05:40:00 up", NULL},
	{"05:40:00.123 [main] INFO up", NULL},
	{"Nov 22 up", NULL},
	{"Sun Nov 22", NULL},
	{"20261122 up", NULL},
	{"2026-11-22T05:40:00Zulu", NULL},
	{"2026-11-22T05:40:00abc", NULL},
	/* numbers of other kinds */
	{"10.30.16.49 up", NULL},
	{"192.168.1.1 - - up", NULL},
	{"1.2.3 released", NULL},
	{"1.2.2026 up", NULL},
	{"22.11.2026 up", NULL},
	{"1795326000", NULL},
	{"1795326000: 5", "2026-11-22T05:40:00.000000Z"},
	{"1795326000:5 up", NULL},
	{"1795326000-5 up", NULL},
	{"1795326000.1.2 up", NULL},
	{"179532600 up", NULL},
	{"17953260001 up", NULL},
	{"4915112345678 called", NULL}, /* ms of the year 2125 */
	{"2125551234 called", NULL},    /* s of the year 2037 */
	{"+4915112345678 called", NULL},
	{"0795326000 up", NULL},
	{"[   12.345678] usb 1-1: new device", NULL},
	{"[12345.678901] usb 1-1: new device", NULL},
	{"550e8400-e29b-41d4-a716-446655440000 up", NULL},
	{"123456 123456 148 INFO up", NULL}, /* month 34 */
	{"081109 203615 148 bytes", NULL},
	{"081109 203615", NULL},
	{"03-17 16:13:38 up", NULL},
	{"10.30 16:49:06 up", NULL},
	{"11/22/2026 05:40:00 up", NULL}, /* or is it the 11th of month 22? strptime tells */
	{"I1122 up", NULL},
	{"I1122 05:40:00 up", NULL},
	{"12345 a b c 99 1 up", NULL},
	{"12345 a b c 1077804742 up", NULL},
	{"- 1117838570 up", NULL},
	{"@4000000069213f70 up", NULL},
	{"msg=audit(12:5): up", NULL},
	{"ts=12 msg=up", NULL},
	{"time=0.35 msg=up", NULL},
	{"t=5 msg=up", NULL},
};

/* -rw-r--r-- 1 root root 0 Nov 22 05:40 x and other things that commands print */
static const struct example listings[] = {
	{"-rw-r--r-- 1 root root 0 Nov 22 05:40 x", NULL},
	{"drwxr-xr-x 2 root root 4096 Nov 22  2026 x", NULL},
	{"total 12", NULL},
	{"  PID USER      PR", NULL},
	{"tcp        0      0 0.0.0.0:22  0.0.0.0:*  LISTEN", NULL},
	{"Exception in thread \"main\" java.lang.IllegalStateException: no", NULL},
	{"Traceback (most recent call last):", NULL},
	{"GET /a/2026/11/22/x HTTP/1.1", NULL},
	{"Content-Length: 1795326000", NULL},
	{"May the force be with you", NULL},
	{"Sat down and wept", NULL},
	{"Dec 10", NULL},
	{"1) first", NULL},
	{"2026 was a good year", NULL},
	{"404 Not Found", NULL},
	{"3.14159265358979 is pi", NULL},
	{"a4 b5 c6 d7", NULL},
};

#define TABLE_TEST(table, zone)                                                                    \
	START_TEST(table##_hold)                                                                   \
	{                                                                                          \
		hold(zone, &(table)[_i]);                                                          \
	}                                                                                          \
	END_TEST

TABLE_TEST(iso, "+02:00")
TABLE_TEST(names, "+02:00")
TABLE_TEST(access_logs, "+02:00")
TABLE_TEST(prefixes, "+02:00")
TABLE_TEST(odd_ones, "+02:00")
TABLE_TEST(none, "UTC")
TABLE_TEST(listings, "UTC")

/* Cut at every length, and followed by bytes of all kinds, a line is read without going astray (the
 * sanitizers look), and what is found lies in the years 1970 to 9999. */
static void hold_cut(const struct example *e)
{
	struct stamp *s;
	const char *why;
	ck_assert_int_eq(stamp_new("auto", "UTC", &s, &why), 0);
	size_t len = strlen(e->line);
	for (size_t n = 0; n <= len; n++) {
		char *exact = malloc(n ? n : 1);
		ck_assert_ptr_nonnull(exact);
		memcpy(exact, e->line, n);
		struct stamp_memory memory = {0};
		int64_t us = 0;
		if (stamp_find(s, &memory, span_make(exact, n), NOW_US, &us))
			ck_assert(us >= 0 && us <= CIVIL_MAX_US);
		/* And once more, with what was learnt. */
		if (stamp_find(s, &memory, span_make(exact, n), NOW_US, &us))
			ck_assert(us >= 0 && us <= CIVIL_MAX_US);
		free(exact);
	}
	stamp_free(s);
}

#define CUT_TEST(table)                                                                            \
	START_TEST(table##_cut)                                                                    \
	{                                                                                          \
		hold_cut(&(table)[_i]);                                                            \
	}                                                                                          \
	END_TEST

CUT_TEST(iso)
CUT_TEST(names)
CUT_TEST(access_logs)
CUT_TEST(prefixes)
CUT_TEST(odd_ones)

/* The year that the line leaves out is the one that puts it nearest before now + 1 day. */
static const struct {
	const char *line;
	const char *now;
	const char *zone;
	const char *expected;
} years[] = {
	{"Nov 22 05:40:00 h", "2026-11-22T05:40:01.000000Z", "UTC", "2026-11-22T05:40:00.000000Z"},
	{"Nov 23 05:39:00 h", "2026-11-22T05:40:01.000000Z", "UTC", "2026-11-23T05:39:00.000000Z"},
	{"Nov 23 05:41:00 h", "2026-11-22T05:40:01.000000Z", "UTC", "2025-11-23T05:41:00.000000Z"},
	{"Dec 31 23:59:59 h", "2027-01-01T00:00:01.000000Z", "UTC", "2026-12-31T23:59:59.000000Z"},
	{"Jan  1 00:00:00 h", "2026-12-31T23:59:59.000000Z", "UTC", "2027-01-01T00:00:00.000000Z"},
	{"Jan  1 05:00:00 h", "2026-12-30T23:00:00.000000Z", "+14:00",
	 "2026-12-31T15:00:00.000000Z"},
	{"Dec 31 20:00:00 h", "2027-01-01T03:00:00.000000Z", "-11:00",
	 "2027-01-01T07:00:00.000000Z"},
	{"Feb 29 12:00:00 h", "2026-11-22T05:40:01.000000Z", "UTC", "2024-02-29T12:00:00.000000Z"},
	{"Feb 29 12:00:00 h", "2103-11-22T05:40:01.000000Z", "UTC", "2096-02-29T12:00:00.000000Z"},
	{"Feb 30 12:00:00 h", "2026-11-22T05:40:01.000000Z", "UTC", "none"},
	{"Nov 22 05:40:00 h", "1970-01-01T00:00:01.000000Z", "UTC", "none"},
	{"[10.30 16:49:06] x", "2026-10-29T17:00:00.000000Z", "UTC", "2026-10-30T16:49:06.000000Z"},
	{"26/11/23 05:39:00 x", "2026-11-22T05:40:01.000000Z", "UTC",
	 "2026-11-23T05:39:00.000000Z"},
	{"26/11/23 05:41:00 x", "2026-11-22T05:40:01.000000Z", "UTC", "none"}, /* 1926 */
	{"70/11/23 05:41:00 x", "2026-11-22T05:40:01.000000Z", "UTC",
	 "1970-11-23T05:41:00.000000Z"},
	/* bare numbers lie at most a day ahead */
	{"1795412399 x", "2026-11-22T05:40:00.000000Z", "UTC", "2026-11-23T05:39:59.000000Z"},
	{"1795412401 x", "2026-11-22T05:40:00.000000Z", "UTC", "none"},
};

START_TEST(years_are_worked_out)
{
	int64_t now_us;
	const char *expected = years[_i].expected;
	ck_assert_int_eq(civil_parse_us(span_of(years[_i].now), &now_us), 0);
	const char *is = found(years[_i].zone, years[_i].line, now_us);
	ck_assert_msg(strcmp(is, expected) == 0, "%s at %s gives %s and not %s", years[_i].line,
		      years[_i].now, is, expected);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("stamp_forms");
	tcase_add_loop_test(tc, iso_hold, 0, N(iso));
	tcase_add_loop_test(tc, names_hold, 0, N(names));
	tcase_add_loop_test(tc, access_logs_hold, 0, N(access_logs));
	tcase_add_loop_test(tc, prefixes_hold, 0, N(prefixes));
	tcase_add_loop_test(tc, odd_ones_hold, 0, N(odd_ones));
	tcase_add_loop_test(tc, none_hold, 0, N(none));
	tcase_add_loop_test(tc, listings_hold, 0, N(listings));
	tcase_add_loop_test(tc, iso_cut, 0, N(iso));
	tcase_add_loop_test(tc, names_cut, 0, N(names));
	tcase_add_loop_test(tc, access_logs_cut, 0, N(access_logs));
	tcase_add_loop_test(tc, prefixes_cut, 0, N(prefixes));
	tcase_add_loop_test(tc, odd_ones_cut, 0, N(odd_ones));
	tcase_add_loop_test(tc, years_are_worked_out, 0, N(years));
	Suite *s = suite_create("stamp_forms");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
