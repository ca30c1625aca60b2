/* Measures the store alone: what it costs to judge, log, sync, append and checkpoint lines that are
 * already checked and rendered.
 *
 *     store [--hosts N] [--services N] [--batch BYTES] [--bytes BYTES] [--sync-ms MS] DATA_DIR
 *
 * Each host has one unanswered batch at a time, a chunk a service, together about BYTES of lines;
 * --bytes of lines go through in all. The gzip body is noise of a seventh of the lines' size, for
 * the store never looks into it.
 *
 * Prints the rate, the CPU time of the store's threads a GiB, how long an answer took, and what the
 * disk was asked. */
#include "collector/store/store.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/num.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { LINE = 323, GZIP_RATIO = 7 };

struct setup {
	size_t hosts, services, batch, bytes;
};

struct player {
	struct store *store;
	char host[32];
	uint64_t session;
	struct stream_id *streams;
	uint64_t *offsets;
	uint64_t sent;
	int64_t start_ns;
};

static struct setup setup = {
	.hosts = 40, .services = 5, .batch = 1 << 20, .bytes = (size_t)4 << 30};
static struct buf noise, lines; /* a batch's gzip body; a chunk's rendered lines */
static uint64_t lines_n, lines_crc;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static pthread_cond_t come = PTHREAD_COND_INITIALIZER;
static struct player **ready;
static size_t n_ready, n_out;
static int64_t *times_ns;
static size_t n_times;

static void die(const char *what, int r)
{
	fprintf(stderr, "store: %s: %s\n", what, strerror(-r));
	exit(1);
}

static void must(const char *what, int r)
{
	if (r < 0)
		die(what, r);
}

static double seconds(int64_t ns)
{
	return (double)ns / (double)NUM_SEC_NS;
}

static double cpu(int who)
{
	struct rusage u;
	(void)getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* --- making batches --- */

static void make_material(int64_t now_us)
{
	char time[CIVIL_TIME_LEN];
	civil_format_us(time, now_us);
	size_t chunk = setup.batch / setup.services;
	while (lines.len + LINE <= chunk || lines_n == 0) {
		size_t before = lines.len;
		must("memory", buf_add(&lines, time, sizeof(time)));
		must("memory", buf_printf(&lines, " host-0000 svc-00 F {\"n\":%llu,\"text\":\"",
					  (unsigned long long)lines_n));
		while (lines.len < before + LINE - 3)
			must("memory", buf_add_char(&lines, (char)('a' + lines.len % 26)));
		must("memory", buf_add_str(&lines, "\"}\n"));
		lines_n++;
	}
	lines_crc = crc64_add(CRC64_EMPTY, lines.ptr, lines.len);
	uint64_t x = 88172645463325252u;
	for (size_t i = 0; i < setup.batch / GZIP_RATIO; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		must("memory", buf_add_char(&noise, (char)x));
	}
}

static void answered(struct submission *sub, void *user)
{
	struct player *p = user;
	if (sub->result < 0 || sub->verdicts[0].status != CHUNK_COMMITTED)
		die("an answer", sub->result);
	submission_unref(sub);
	pthread_mutex_lock(&lock);
	times_ns[n_times++] = clock_mono_ns() - p->start_ns;
	ready[n_ready++] = p;
	n_out--;
	pthread_cond_signal(&come);
	pthread_mutex_unlock(&lock);
}

static void send(struct player *p, int64_t now_us, int32_t day)
{
	size_t n = setup.services;
	struct submission *sub = submission_new();
	sub->terms = calloc(n, sizeof(*sub->terms));
	sub->rendered = calloc(n, sizeof(*sub->rendered));
	sub->verdicts = calloc(n, sizeof(*sub->verdicts));
	sub->batch.chunks = calloc(n, sizeof(*sub->batch.chunks));
	sub->batch.n_chunks = n;
	snprintf(sub->host, sizeof(sub->host), "%s", p->host);
	sub->session = p->session;
	must("memory", buf_add_span(&sub->gzip_body, buf_span(&noise)));
	static const char names[] = "svc-00svc-01svc-02svc-03svc-04svc-05svc-06svc-07svc-08svc-09";
	for (size_t i = 0; i < n; i++) {
		struct chunk *c = &sub->batch.chunks[i].header;
		*c = (struct chunk){.stream = p->streams[i],
				    .service = span_make(names + 6 * (i % 10), 6),
				    .path = SPAN_LITERAL("/var/log/service/service.log"),
				    .from = p->offsets[i],
				    .to = p->offsets[i] + lines.len,
				    .crc_from = p->offsets[i],
				    .crc = p->offsets[i] + lines.len,
				    .lines = lines_n};
		p->offsets[i] = c->to;
		sub->terms[i] = store_terms(p->store, c->service, now_us);
		struct rendered *r = calloc(1, sizeof(*r));
		*r = (struct rendered){.day = day,
				       .lines = lines_n,
				       .crc = lines_crc,
				       .first_us = now_us,
				       .last_us = now_us};
		must("memory", buf_add_span(&r->bytes, buf_span(&lines)));
		sub->rendered[i] = (struct rendered_chunk){.days = r, .n_days = 1};
	}
	sub->answered = answered;
	sub->user = p;
	p->start_ns = clock_mono_ns();
	store_submit(p->store, sub);
}

/* --- sessions --- */

static void session_done(void *user, int result, uint64_t session)
{
	must("a session", result);
	struct player *p = user;
	pthread_mutex_lock(&lock);
	p->session = session;
	ready[n_ready++] = p;
	pthread_cond_signal(&come);
	pthread_mutex_unlock(&lock);
}

static struct player *make_players(struct store *s)
{
	struct player *players = calloc(setup.hosts, sizeof(*players));
	for (size_t i = 0; i < setup.hosts; i++) {
		struct player *p = &players[i];
		p->store = s;
		snprintf(p->host, sizeof(p->host), "host-%04zu", i);
		p->streams = calloc(setup.services, sizeof(*p->streams));
		p->offsets = calloc(setup.services, sizeof(*p->offsets));
		for (size_t k = 0; k < setup.services; k++)
			must("a stream id", stream_id_random(&p->streams[k]));
		struct session_request q = {.host = span_of(p->host),
					    .machine = span_of(p->host),
					    .received_us = clock_real_ns() / NUM_US_NS};
		must("a session", store_session_open(s, &q, session_done, p));
	}
	pthread_mutex_lock(&lock);
	while (n_ready < setup.hosts)
		pthread_cond_wait(&come, &lock);
	pthread_mutex_unlock(&lock);
	return players;
}

/* --- the run --- */

static uint64_t play(int64_t now_us)
{
	int32_t day = civil_day_of_us(now_us);
	uint64_t sent = 0;
	pthread_mutex_lock(&lock);
	while (sent < setup.bytes || n_out) {
		while (!n_ready && n_out)
			pthread_cond_wait(&come, &lock);
		if (!n_ready || sent >= setup.bytes) {
			if (!n_out)
				break;
			pthread_cond_wait(&come, &lock);
			continue;
		}
		struct player *p = ready[--n_ready];
		n_out++;
		pthread_mutex_unlock(&lock);
		send(p, now_us, day);
		sent += lines.len * setup.services;
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
	return sent;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static double percentile_ms(unsigned of_thousand)
{
	return seconds(times_ns[(n_times - 1) * of_thousand / 1000]) * 1e3;
}

static void report(struct store *s, uint64_t sent, double wall, double store_cpu)
{
	struct store_counters n;
	store_counters(s, &n);
	qsort(times_ns, n_times, sizeof(*times_ns), by_value);
	double gib = (double)sent / (double)(1 << 30);
	printf("%.0f MB/s of lines, %.2f CPU s/GiB in the store's threads\n",
	       (double)sent / 1e6 / wall, store_cpu / gib);
	printf("answers: %zu, p50 %.1f ms, p99 %.1f ms, max %.1f ms\n", n_times, percentile_ms(500),
	       percentile_ms(990), percentile_ms(1000));
	printf("WAL: %llu syncs, %.2f ms each; checkpoints: %llu, %.0f ms each\n",
	       (unsigned long long)n.wal_syncs, n.wal_sync_seconds * 1e3 / (double)n.wal_syncs,
	       (unsigned long long)n.checkpoints,
	       n.checkpoint_seconds * 1e3 / (double)n.checkpoints);
}

static int64_t size_of(const char *text)
{
	uint64_t v;
	if (num_parse_size(span_of(text), &v) < 0)
		die(text, -EINVAL);
	return (int64_t)v;
}

static const char *options(int argc, char **argv)
{
	static const struct option names[] = {{"hosts", required_argument, NULL, 'h'},
					      {"services", required_argument, NULL, 's'},
					      {"batch", required_argument, NULL, 'b'},
					      {"bytes", required_argument, NULL, 't'},
					      {0}};
	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) >= 0;) {
		switch (c) {
		case 'h': setup.hosts = (size_t)size_of(optarg); break;
		case 's': setup.services = (size_t)size_of(optarg); break;
		case 'b': setup.batch = (size_t)size_of(optarg); break;
		case 't': setup.bytes = (size_t)size_of(optarg); break;
		default: exit(2);
		}
	}
	if (optind + 1 != argc)
		die("one DATA_DIR is needed", -EINVAL);
	return argv[optind];
}

int main(int argc, char **argv)
{
	struct store_config config = {.data_dir = options(argc, argv),
				      .segment_bytes = UINT64_C(256) << 20};
	struct conf_error err = {""};
	struct store *s;
	if (store_open(&config, &s, &err) < 0) {
		fprintf(stderr, "store: %s\n", err.text);
		return 1;
	}
	int64_t now_us = clock_real_ns() / NUM_US_NS;
	make_material(now_us);
	ready = calloc(setup.hosts, sizeof(struct player *));
	times_ns = calloc(setup.bytes / setup.batch * 2 + setup.hosts, sizeof(*times_ns));
	struct player *players = make_players(s);

	double all = cpu(RUSAGE_SELF), mine = cpu(RUSAGE_THREAD);
	int64_t start_ns = clock_mono_ns();
	uint64_t sent = play(now_us);
	double wall = seconds(clock_mono_ns() - start_ns);
	double store_cpu = cpu(RUSAGE_SELF) - all - (cpu(RUSAGE_THREAD) - mine);
	report(s, sent, wall, store_cpu);

	start_ns = clock_mono_ns();
	store_close(s);
	printf("closing took %.2f s\n", seconds(clock_mono_ns() - start_ns));
	for (size_t i = 0; i < setup.hosts; i++) {
		free(players[i].streams);
		free(players[i].offsets);
	}
	free(players);
	free(ready);
	free(times_ns);
	buf_free(&noise);
	buf_free(&lines);
	return 0;
}
