/* Makes log lines for benchmarks and tests: the same seed gives the same bytes.
 *
 *     gen --seed 1 --bytes 1G --services 10 --hosts 5              messages to stdout
 *     gen --seed 1 --bytes 1G --services 10 --hosts 5 --tree DIR   an archive of live files below DIR
 *
 * The lines are what services write: JSON, some 300 bytes, with a request id that recurs in every
 * service a request crosses. --trace N: N of 1,000 lines are followed by a stack trace; --text N
 * and --logfmt N: N of 1,000 lines are plain text, key=value; --late N: N of 1,000 lines of a tree
 * stand later in their file than their time says. --stay: a request stays with its service and
 * host, so that its id recurs in one file, over six lines on average: gzip -6 makes 0.100 of a tree
 * of such lines and 0.149 of others. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SERVICES_MAX = 64,
	HOSTS_MAX = 256,
	DAYS_MAX = 400,
	LINE_MAX_BYTES = 4096,
	SHARD_BUFFER = 64 * 1024,
	LATE_LINES = 200,  /* how far behind a late line stands */
	ACTIVE = 32,       /* requests under way at a time */
	ACTIVE_STAY = 160, /* so that gzip -6 makes a tenth of them */
};

struct options {
	uint64_t seed, bytes;
	unsigned services, hosts, days;
	unsigned trace, text, logfmt, late; /* of 1,000 */
	bool stay;                          /* requests with their service and host */
	const char *tree;
	const char *first_day;
};

struct line {
	char bytes[LINE_MAX_BYTES];
	size_t len;
};

struct shard {
	char *bytes;
	size_t len;
	char *late; /* one line that waits for its turn */
	size_t late_len;
	unsigned late_left;
};

struct request {
	uint64_t id[2], trace;
	unsigned user, path, service, host, left;
};

struct gen {
	struct options o;
	uint64_t random;
	int64_t now_us, day_start_us;
	char day[16];
	struct shard *shards; /* services * hosts, of the current day */
	uint64_t written;
	struct request active[ACTIVE_STAY];
	struct line line;
};

static const char *const service_names[] = {
	"gateway", "checkout", "cart",    "payment", "inventory", "catalog",
	"search",  "user",     "session", "mail",    "billing",   "shipping",
};
static const char *const levels[] = {"info", "info", "info",  "info", "info",
				     "info", "info", "debug", "warn", "error"};
static const char *const events[] = {
	"request finished",         "cache miss for key",    "order accepted",
	"connection pool at limit", "retry after timeout",   "payment declined by issuer",
	"stock reserved",           "session token renewed", "query took longer than planned",
	"message put into queue",   "health check answered", "configuration reloaded",
	"upstream answered late",   "index segment flushed", "feature flag evaluated",
	"mail handed to relay",
};
static const char *const paths[] = {"/api/v1/orders", "/api/v1/cart", "/api/v1/items", "/login",
				    "/api/v2/search", "/health",      "/api/v1/users"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void die(const char *what, const char *on)
{
	fprintf(stderr, "gen: %s %s: %s\n", what, on, strerror(errno));
	exit(1);
}

/* splitmix64 */
static uint64_t next(struct gen *g)
{
	uint64_t z = (g->random += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static unsigned below(struct gen *g, unsigned n)
{
	return (unsigned)((next(g) >> 32) * n >> 32);
}

static void put(struct line *l, const char *s)
{
	size_t len = strlen(s);
	memcpy(l->bytes + l->len, s, len);
	l->len += len;
}

static void put_number(struct line *l, uint64_t v, unsigned width)
{
	char digits[20];
	unsigned n = 0;
	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n < width)
		digits[n++] = '0';
	while (n)
		l->bytes[l->len++] = digits[--n];
}

static void put_hex(struct line *l, uint64_t v, unsigned digits)
{
	while (digits--)
		l->bytes[l->len++] = "0123456789abcdef"[v >> (4 * digits) & 15];
}

static void put_uuid(struct line *l, uint64_t a, uint64_t b)
{
	put_hex(l, a >> 32, 8);
	put(l, "-");
	put_hex(l, a >> 16, 4);
	put(l, "-4");
	put_hex(l, a, 3);
	put(l, "-a");
	put_hex(l, b >> 48, 3);
	put(l, "-");
	put_hex(l, b, 12);
}

static void put_time(struct gen *g, struct line *l, int64_t us)
{
	int64_t of_day = us - g->day_start_us;
	put(l, g->day);
	put(l, "T");
	put_number(l, (uint64_t)(of_day / 3600000000), 2);
	put(l, ":");
	put_number(l, (uint64_t)(of_day / 60000000 % 60), 2);
	put(l, ":");
	put_number(l, (uint64_t)(of_day / 1000000 % 60), 2);
	put(l, ".");
	put_number(l, (uint64_t)(of_day % 1000000), 6);
	put(l, "Z");
}

static void put_host(struct line *l, unsigned host)
{
	put(l, "web-");
	put_number(l, host + 1, 2);
}

static void put_service(struct line *l, unsigned service)
{
	put(l, service_names[service % COUNT(service_names)]);
	if (service >= COUNT(service_names)) {
		put(l, "-");
		put_number(l, service / COUNT(service_names), 1);
	}
}

static void put_prefix(struct gen *g, unsigned service, unsigned host, const char *flags)
{
	struct line *l = &g->line;
	if (!g->o.tree)
		return;
	put_time(g, l, g->now_us);
	put(l, " ");
	put_host(l, host);
	put(l, " ");
	put_service(l, service);
	put(l, " ");
	put(l, flags);
	put(l, " ");
}

static void put_json(struct gen *g, const struct request *r, unsigned service)
{
	struct line *l = &g->line;
	unsigned level = below(g, COUNT(levels));
	put(l, "{\"ts\":\"");
	put_time(g, l, g->now_us);
	put(l, "\",\"level\":\"");
	put(l, levels[level]);
	put(l, "\",\"logger\":\"com.acme.");
	put_service(l, service);
	put(l, "\",\"msg\":\"");
	put(l, events[below(g, COUNT(events))]);
	put(l, "\",\"request_id\":\"");
	put_uuid(l, r->id[0], r->id[1]);
	put(l, "\",\"trace_id\":\"");
	put_hex(l, r->trace, 16);
	put(l, "\",\"path\":\"");
	put(l, paths[r->path]);
	put(l, "\",\"status\":");
	put_number(l, level == 9 ? 500 + below(g, 4) : 200, 3);
	put(l, ",\"duration_ms\":");
	put_number(l, below(g, 2000), 1);
	put(l, ".");
	put_number(l, below(g, 1000), 3);
	put(l, ",\"user\":\"u");
	put_number(l, r->user, 6);
	put(l, "\"}\n");
}

static void put_text(struct gen *g, const struct request *r)
{
	struct line *l = &g->line;
	put(l, "worker-");
	put_number(l, below(g, 16), 1);
	put(l, " ");
	put(l, events[below(g, COUNT(events))]);
	put(l, " for user ");
	put_number(l, r->user, 1);
	put(l, " in ");
	put_number(l, below(g, 2000), 1);
	put(l, " ms, request ");
	put_uuid(l, r->id[0], r->id[1]);
	put(l, "\n");
}

static void put_logfmt(struct gen *g, const struct request *r)
{
	struct line *l = &g->line;
	put(l, "level=");
	put(l, levels[below(g, COUNT(levels))]);
	put(l, " msg=\"");
	put(l, events[below(g, COUNT(events))]);
	put(l, "\" request_id=");
	put_uuid(l, r->id[0], r->id[1]);
	put(l, " status=");
	put_number(l, below(g, 10) ? 200 : 503, 3);
	put(l, " path=");
	put(l, paths[r->path]);
	put(l, "\n");
}

static void write_all(int fd, const char *bytes, size_t len, const char *on)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0)
			die("cannot write", on);
		bytes += n;
		len -= (size_t)n;
	}
}

static void shard_flush(struct gen *g, unsigned service, unsigned host)
{
	struct shard *s = &g->shards[service * g->o.hosts + host];
	if (!s->len)
		return;
	struct line name = {.len = 0}, path = {.len = 0};
	put_service(&name, service);
	name.bytes[name.len] = '\0';
	put(&path, g->o.tree);
	put(&path, "/");
	put(&path, g->day);
	path.bytes[path.len] = '\0';
	(void)mkdir(path.bytes, 0755);
	put(&path, "/");
	put(&path, name.bytes);
	path.bytes[path.len] = '\0';
	(void)mkdir(path.bytes, 0755);
	put(&path, "/");
	put_host(&path, host);
	put(&path, ".log");
	path.bytes[path.len] = '\0';
	int fd = open(path.bytes, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		die("cannot open", path.bytes);
	write_all(fd, s->bytes, s->len, path.bytes);
	close(fd);
	s->len = 0;
}

static void shard_add(struct gen *g, unsigned service, unsigned host, const char *bytes, size_t len)
{
	struct shard *s = &g->shards[service * g->o.hosts + host];
	if (s->len + len > SHARD_BUFFER)
		shard_flush(g, service, host);
	memcpy(s->bytes + s->len, bytes, len);
	s->len += len;
}

/* A late line waits until others of its shard have passed it. */
static void line_end(struct gen *g, unsigned service, unsigned host, bool may_be_late)
{
	struct line *l = &g->line;
	g->written += l->len;
	if (!g->o.tree) {
		if (fwrite(l->bytes, 1, l->len, stdout) != l->len)
			die("cannot write", "stdout");
		l->len = 0;
		return;
	}
	struct shard *s = &g->shards[service * g->o.hosts + host];
	if (may_be_late && !s->late_left && below(g, 1000) < g->o.late) {
		memcpy(s->late, l->bytes, l->len);
		s->late_len = l->len;
		s->late_left = 1 + below(g, LATE_LINES);
	} else {
		shard_add(g, service, host, l->bytes, l->len);
		if (s->late_left && --s->late_left == 0)
			shard_add(g, service, host, s->late, s->late_len);
	}
	l->len = 0;
}

static void stack_trace(struct gen *g, unsigned service, unsigned host)
{
	struct line *l = &g->line;
	unsigned depth = 3 + below(g, 20);
	put_prefix(g, service, host, "F");
	put(l, "java.lang.IllegalStateException: ");
	put(l, events[below(g, COUNT(events))]);
	put(l, "\n");
	line_end(g, service, host, false);
	for (unsigned i = 0; i < depth; i++) {
		put_prefix(g, service, host, "+");
		put(l, "\tat com.acme.");
		put_service(l, service);
		put(l, ".Worker.step");
		put_number(l, below(g, 40), 1);
		put(l, "(Worker.java:");
		put_number(l, below(g, 900), 1);
		put(l, ")\n");
		line_end(g, service, host, false);
	}
}

/* The next line of one of the requests that are under way. */
static void one_line(struct gen *g, int64_t step_us)
{
	struct request *r = &g->active[below(g, g->o.stay ? ACTIVE_STAY : ACTIVE)];
	if (r->left == 0)
		*r = (struct request){.id = {next(g), next(g)},
				      .trace = next(g),
				      .user = below(g, 100000),
				      .path = below(g, COUNT(paths)),
				      .service = below(g, g->o.services),
				      .host = below(g, g->o.hosts),
				      .left = 2 + below(g, 9)};
	unsigned kind = below(g, 1000);
	g->now_us += 1 + below(g, (unsigned)(2 * step_us));
	put_prefix(g, r->service, r->host, "F");
	if (kind < g->o.text)
		put_text(g, r);
	else if (kind < g->o.text + g->o.logfmt)
		put_logfmt(g, r);
	else
		put_json(g, r, r->service);
	line_end(g, r->service, r->host, true);
	if (below(g, 1000) < g->o.trace)
		stack_trace(g, r->service, r->host);
	if (--r->left % 2 == 0 && !g->o.stay) {
		r->service = (r->service + 1) % g->o.services;
		r->host = below(g, g->o.hosts);
	}
}

static void day_begin(struct gen *g, unsigned day)
{
	int year, month, first;
	if (sscanf(g->o.first_day, "%d-%d-%d", &year, &month, &first) != 3)
		die("not a day", g->o.first_day);
	/* Days from a civil date, and back (Howard Hinnant's algorithms), for any run of days. */
	int y = year - (month <= 2), era = y / 400, yoe = y - era * 400;
	int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + first - 1;
	int z = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy + (int)day;
	era = z / 146097;
	int doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;
	month = mp < 10 ? mp + 3 : mp - 9;
	snprintf(g->day, sizeof(g->day), "%04d-%02d-%02d", (yoe + era * 400 + (month <= 2)) % 10000,
		 month % 100, (doy - (153 * mp + 2) / 5 + 1) % 100);
	g->now_us = g->day_start_us = 0;
}

static void day_end(struct gen *g)
{
	if (!g->o.tree)
		return;
	for (unsigned s = 0; s < g->o.services; s++)
		for (unsigned h = 0; h < g->o.hosts; h++) {
			struct shard *shard = &g->shards[s * g->o.hosts + h];
			if (shard->late_left)
				shard_add(g, s, h, shard->late, shard->late_len);
			shard->late_left = 0;
			shard_flush(g, s, h);
		}
}

static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	errno = 0;
	uint64_t v = strtoull(text, &end, 10);
	switch (*end) {
	case 'K': v <<= 10, end++; break;
	case 'M': v <<= 20, end++; break;
	case 'G': v <<= 30, end++; break;
	}
	if (errno || *end || end == text || v > max) {
		fprintf(stderr, "gen: not a number up to %" PRIu64 ": %s\n", max, text);
		exit(2);
	}
	return v;
}

static struct options parse(int argc, char **argv)
{
	static const struct option known[] = {
		{"seed", 1, NULL, 's'},
		{"bytes", 1, NULL, 'b'},
		{"services", 1, NULL, 'S'},
		{"hosts", 1, NULL, 'H'},
		{"days", 1, NULL, 'd'},
		{"trace", 1, NULL, 't'},
		{"text", 1, NULL, 'x'},
		{"late", 1, NULL, 'l'},
		{"tree", 1, NULL, 'T'},
		{"logfmt", 1, NULL, 'k'},
		{"first-day", 1, NULL, 'f'},
		{"stay", 0, NULL, 'r'},
		{0},
	};
	struct options o = {.seed = 1,
			    .bytes = 1 << 20,
			    .services = 4,
			    .hosts = 3,
			    .days = 1,
			    .first_day = "2026-11-20"};
	int c;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's': o.seed = number(optarg, UINT64_MAX); break;
		case 'b': o.bytes = number(optarg, UINT64_C(1) << 42); break;
		case 'S': o.services = (unsigned)number(optarg, SERVICES_MAX); break;
		case 'H': o.hosts = (unsigned)number(optarg, HOSTS_MAX); break;
		case 'd': o.days = (unsigned)number(optarg, DAYS_MAX); break;
		case 't': o.trace = (unsigned)number(optarg, 1000); break;
		case 'x': o.text = (unsigned)number(optarg, 1000); break;
		case 'k': o.logfmt = (unsigned)number(optarg, 1000); break;
		case 'l': o.late = (unsigned)number(optarg, 1000); break;
		case 'T': o.tree = optarg; break;
		case 'f': o.first_day = optarg; break;
		case 'r': o.stay = true; break;
		default: exit(2);
		}
	}
	if (optind < argc || !o.services || !o.hosts || !o.days) {
		fprintf(stderr, "gen: wrong usage; see the top of gen.c\n");
		exit(2);
	}
	return o;
}

int main(int argc, char **argv)
{
	struct gen g = {.o = parse(argc, argv)};
	g.random = g.o.seed;
	size_t n = (size_t)g.o.services * g.o.hosts;
	g.shards = calloc(n, sizeof(*g.shards));
	for (size_t i = 0; g.shards && i < n; i++) {
		g.shards[i].bytes = malloc(SHARD_BUFFER + LINE_MAX_BYTES);
		g.shards[i].late = malloc(LINE_MAX_BYTES);
		if (!g.shards[i].bytes || !g.shards[i].late)
			die("no memory for", "shards");
	}
	if (!g.shards)
		die("no memory for", "shards");
	/* Lines of some 330 bytes spread over the whole day. */
	int64_t lines_a_day = (int64_t)(g.o.bytes / g.o.days / 330) + 1;
	int64_t step_us = INT64_C(86000000000) / lines_a_day;
	step_us = step_us > 1000000000 ? 1000000000 : step_us < 1 ? 1 : step_us;
	if (g.o.tree && mkdir(g.o.tree, 0755) < 0 && errno != EEXIST)
		die("cannot make", g.o.tree);
	for (unsigned day = 0; day < g.o.days; day++) {
		day_begin(&g, day);
		while (g.written < g.o.bytes / g.o.days * (day + 1) &&
		       g.now_us < INT64_C(86300000000))
			one_line(&g, step_us);
		day_end(&g);
	}
	if (fflush(stdout))
		die("cannot write", "stdout");
	for (size_t i = 0; i < n; i++) {
		free(g.shards[i].bytes);
		free(g.shards[i].late);
	}
	free(g.shards);
	return 0;
}
