/* Plays many agents at a collector and measures it.
 *
 *     load [--agents N] [--streams N] [--batch BYTES] [--warm N] [--seconds N] [--pause MS] [--pid PID] HOST:PORT
 *
 * Each agent has a connection, a host name (host-0001), a session and so many streams (services
 * svc-01 ...), and one unanswered batch at a time: a chunk a stream, together about BYTES of JSON
 * lines. The lines are compressed once, at the start, in blocks that can be put together with any
 * headers; so playing costs little more than sending, and what is measured beside it is the
 * collector.
 *
 * --pause: after an answer so long until the next batch, more or less (from nothing to twice as
 * long, at random), and the first ones spread over that time: hosts do not march in step. Without
 * it the next batch comes at once. --warm: so many seconds before the figures begin: sessions are
 * opened and files made then, which a day does once. --pid: of the collector: its CPU time and
 * memory are read from /proc. The janitor's time is told apart: it indexes what has come in when
 * nobody else wants the CPU, so how much of it falls into a run depends on what the disk leaves
 * idle.
 *
 * Prints the rate of lines' bytes, the collector's CPU seconds per GiB, percentiles of the time
 * from the first byte of a batch to its answer, and the answers by status. Exit 0; 1 when anything
 * but 200, 429, 503 or 507 came. */
#include "common/chunk.h"
#include "common/clock.h"
#include "common/num.h"
#include "tests/bench/load/meter.h"
#include "tests/bench/load/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <isa-l.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { TEXTS = 16, ANSWER_MAX = 64 << 10, HEADER_MAX = 512 };

static void die(const char *what)
{
	(void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(int r)
{
	if (r < 0) {
		errno = -r;
		die("memory");
	}
}

/* --- agents --- */

enum agent_state { AGENT_OPENING, AGENT_SENDING, AGENT_HEARING, AGENT_PAUSING };

struct stream {
	struct stream_id id;
	uint64_t offset, crc;
};

struct agent {
	int fd;
	enum agent_state state;
	char host[32];
	uint64_t session;
	struct stream *streams;
	struct buf out; /* the request */
	size_t sent;
	struct buf in; /* the answer */
	int64_t began_ns, wakes_ns;
	uint64_t batch_bytes; /* of lines, in the batch under way */
	uint64_t batch_lines;
};

struct load {
	unsigned n_agents, n_streams;
	size_t batch;
	int64_t warm_seconds, seconds, pause_ns;
	int pid;
	struct sockaddr_in address;
	struct text texts[TEXTS];
	struct agent *agents;
	int epoll;
	bool over; /* no new batches */
	unsigned busy;
	uint64_t bytes, lines, batches, by_status[600], not_committed, wire_bytes;
	int64_t *latencies;
	size_t n_latencies, cap_latencies;
};

static void put_le32(struct buf *out, uint32_t v)
{
	char bytes[4] = {(char)v, (char)(v >> 8), (char)(v >> 16), (char)(v >> 24)};
	must(buf_add(out, bytes, 4));
}

/* A stored block: bytes as they are. */
static void put_stored(struct buf *out, struct span bytes)
{
	uint16_t len = (uint16_t)bytes.len, not_len = (uint16_t)~len;
	char head[5] = {0, (char)len, (char)(len >> 8), (char)not_len, (char)(not_len >> 8)};
	must(buf_add(out, head, sizeof(head)));
	must(buf_add_span(out, bytes));
}

static void add_chunk(struct load *l, struct agent *a, unsigned i, struct buf *gz, uint32_t *crc,
		      uint32_t *size)
{
	struct stream *s = &a->streams[i];
	const struct text *t = &l->texts[random_u64() % TEXTS];
	char service[16];
	(void)snprintf(service, sizeof(service), "svc-%02u", i + 1);
	struct chunk c = {.stream = s->id,
			  .host = span_of(a->host),
			  .service = span_of(service),
			  .path = SPAN_LITERAL("/var/log/checkout.log"),
			  .ino = 131 + i,
			  .btime_ns = 1,
			  .from = s->offset,
			  .to = s->offset + t->plain.len,
			  .crc_from = s->crc,
			  .crc = s->crc + 1,
			  .lines = t->lines,
			  .bytes = t->plain.len};
	struct buf header = BUF_EMPTY;
	must(chunk_encode(&c, &header));
	put_stored(gz, buf_span(&header));
	must(buf_add_span(gz, buf_span(&t->deflate)));
	*crc = crc32_gzip_refl(*crc, (const uint8_t *)header.ptr, header.len);
	*crc = crc32_gzip_refl(*crc, (const uint8_t *)t->plain.ptr, t->plain.len);
	*size += (uint32_t)(header.len + t->plain.len);
	a->batch_bytes += t->plain.len;
	a->batch_lines += t->lines;
	s->offset = c.to;
	s->crc = c.crc;
	buf_free(&header);
}

static void make_batch(struct load *l, struct agent *a)
{
	static const char gzip_head[10] = {0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, (char)255};
	static const char last_block[5] = {1, 0, 0, (char)0xff, (char)0xff};
	struct buf gz = BUF_EMPTY;
	uint32_t crc = 0, size = 0;
	a->batch_bytes = a->batch_lines = 0;
	must(buf_add(&gz, gzip_head, sizeof(gzip_head)));
	for (unsigned i = 0; i < l->n_streams; i++)
		add_chunk(l, a, i, &gz, &crc, &size);
	must(buf_add(&gz, last_block, sizeof(last_block)));
	put_le32(&gz, crc);
	put_le32(&gz, size);
	buf_clear(&a->out);
	must(buf_printf(
		&a->out,
		"POST /v1/batches HTTP/1.1\r\nHost: collector\r\nContent-Type: " CHUNK_MEDIA_TYPE
		"\r\n"
		"Content-Encoding: gzip\r\nHaul-Agent: %s-id %" PRIu64 " haul-agent/load\r\n"
		"Content-Length: %zu\r\n\r\n",
		a->host, a->session, gz.len));
	must(buf_add_span(&a->out, buf_span(&gz)));
	buf_free(&gz);
}

static void make_session(struct agent *a)
{
	char body[128];
	int len = snprintf(body, sizeof(body), "{\"host\":\"%s\",\"machine\":\"load\"}", a->host);
	buf_clear(&a->out);
	must(buf_printf(&a->out,
			"POST /v1/session HTTP/1.1\r\nHost: collector\r\nHaul-Agent: %s-id 0 "
			"haul-agent/load\r\n"
			"Content-Length: %d\r\n\r\n%s",
			a->host, len, body));
}

/* --- sending and hearing --- */

static void want(struct load *l, struct agent *a, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = a};
	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, a->fd, &e) < 0)
		die("epoll");
}

static void send_on(struct load *l, struct agent *a)
{
	while (a->sent < a->out.len) {
		ssize_t n = send(a->fd, a->out.ptr + a->sent, a->out.len - a->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			want(l, a, EPOLLOUT | EPOLLIN);
			return;
		}
		if (n < 0)
			die(a->host);
		a->sent += (size_t)n;
	}
	if (a->state == AGENT_SENDING)
		a->state = AGENT_HEARING;
	want(l, a, EPOLLIN);
}

static void start_request(struct load *l, struct agent *a, enum agent_state state)
{
	a->sent = 0;
	a->state = state;
	buf_clear(&a->in);
	a->began_ns = clock_mono_ns();
	send_on(l, a);
}

static int64_t some_pause(const struct load *l)
{
	return l->pause_ns ? (int64_t)(random_u64() % (uint64_t)(2 * l->pause_ns)) : 0;
}

static void next_batch(struct load *l, struct agent *a)
{
	if (l->over) {
		a->state = AGENT_PAUSING;
		a->wakes_ns = INT64_MAX;
		l->busy--;
		return;
	}
	make_batch(l, a);
	start_request(l, a, AGENT_SENDING);
}

static void note_latency(struct load *l, int64_t ns)
{
	if (l->n_latencies == l->cap_latencies) {
		l->cap_latencies = l->cap_latencies ? l->cap_latencies * 2 : 4096;
		l->latencies = realloc(l->latencies, l->cap_latencies * sizeof(*l->latencies));
		if (!l->latencies)
			die("memory");
	}
	l->latencies[l->n_latencies++] = ns;
}

static uint64_t number_behind(const char *text, const char *name)
{
	const char *at = strcasestr(text, name);
	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static void count_verdicts(struct load *l, const char *body)
{
	unsigned committed = 0;
	for (const char *at = body; (at = strstr(at, "\"committed\"")) != NULL; at++)
		committed++;
	if (committed != l->n_streams)
		l->not_committed++;
}

static void answered(struct load *l, struct agent *a, unsigned status, const char *body)
{
	l->by_status[status < 600 ? status : 0]++;
	int64_t pause_ns = some_pause(l);
	if (a->state == AGENT_OPENING) {
		a->session = number_behind(body, "\"session\":");
	} else if (status == 200) {
		note_latency(l, clock_mono_ns() - a->began_ns);
		count_verdicts(l, body);
		l->batches++;
		l->bytes += a->batch_bytes;
		l->lines += a->batch_lines;
		l->wire_bytes += a->out.len;
	} else {
		/* The same batch again; what was not taken is not counted. */
		pause_ns = (int64_t)number_behind(a->in.ptr, "Retry-After: ") * NUM_SEC_NS;
		a->session |= UINT64_C(1) << 63; /* repeat */
	}
	if ((pause_ns || status != 200) && !l->over) {
		a->state = AGENT_PAUSING;
		a->wakes_ns = clock_mono_ns() + pause_ns;
		return;
	}
	next_batch(l, a);
}

static void wake(struct load *l, struct agent *a)
{
	if (l->over || !(a->session >> 63)) {
		next_batch(l, a);
		return;
	}
	a->session &= ~(UINT64_C(1) << 63);
	start_request(l, a, AGENT_SENDING);
}

static void hear(struct load *l, struct agent *a)
{
	must(buf_reserve(&a->in, ANSWER_MAX));
	ssize_t n = recv(a->fd, a->in.ptr + a->in.len, a->in.cap - a->in.len - 1, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		errno = n ? errno : ECONNRESET;
		die(a->host);
	}
	a->in.len += (size_t)n;
	a->in.ptr[a->in.len] = '\0';
	const char *end = strstr(a->in.ptr, "\r\n\r\n");
	if (!end)
		return;
	size_t head = (size_t)(end + 4 - a->in.ptr);
	if (a->in.len < head + number_behind(a->in.ptr, "Content-Length: "))
		return;
	unsigned status = (unsigned)number_behind(a->in.ptr, "HTTP/1.1 ");
	answered(l, a, status, end + 4);
}

/* --- the run --- */

static void connect_agent(struct load *l, struct agent *a, unsigned number)
{
	int yes = 1;
	(void)snprintf(a->host, sizeof(a->host), "host-%04u", number + 1);
	a->streams = calloc(l->n_streams, sizeof(*a->streams));
	if (!a->streams)
		die("memory");
	for (unsigned i = 0; i < l->n_streams; i++)
		must(stream_id_random(&a->streams[i].id));
	a->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (a->fd < 0 || connect(a->fd, (struct sockaddr *)&l->address, sizeof(l->address)) < 0)
		die("connect");
	(void)setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = a};
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, a->fd, &e) < 0)
		die("epoll");
	make_session(a);
	start_request(l, a, AGENT_OPENING);
	l->busy++;
}

static void wake_agents(struct load *l)
{
	int64_t now_ns = clock_mono_ns();
	for (unsigned i = 0; i < l->n_agents; i++)
		if (l->agents[i].state == AGENT_PAUSING && l->agents[i].wakes_ns <= now_ns)
			wake(l, &l->agents[i]);
		else if (l->over && l->agents[i].state == AGENT_PAUSING &&
			 l->agents[i].wakes_ns != INT64_MAX)
			next_batch(l, &l->agents[i]);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static double latency_ms(const struct load *l, double part)
{
	size_t at = (size_t)(part * (double)(l->n_latencies - 1));
	return l->n_latencies ? (double)l->latencies[at] / 1e6 : 0;
}

static int report(struct load *l, double seconds, double cpu, double janitor)
{
	double gib = (double)l->bytes / (1 << 30);
	if (l->n_latencies)
		qsort(l->latencies, l->n_latencies, sizeof(*l->latencies), by_value);
	printf("agents %u, streams %u each, %" PRIu64 " batches, %" PRIu64
	       " lines, %.1f MB of lines, %.1f MB sent\n",
	       l->n_agents, l->n_streams, l->batches, l->lines, (double)l->bytes / 1e6,
	       (double)l->wire_bytes / 1e6);
	printf("rate %.1f MB/s\n", (double)l->bytes / 1e6 / seconds);
	if (l->pid)
		printf("collector %.2f CPU s, %.2f CPU s/GiB, %.1f MB/s a core, peak RSS %.1f "
		       "MiB\n",
		       cpu, gib > 0 ? cpu / gib : 0, cpu > 0 ? (double)l->bytes / 1e6 / cpu : 0,
		       (double)meter_memory_kib(l->pid, "VmHWM:") / 1024);
	if (l->pid)
		printf("janitor %.2f CPU s beside that\n", janitor);
	printf("answer p50 %.1f ms, p99 %.1f ms, most %.1f ms\n", latency_ms(l, 0.5),
	       latency_ms(l, 0.99), latency_ms(l, 1));
	uint64_t bad = l->not_committed;
	printf("answers");
	for (unsigned i = 0; i < 600; i++) {
		if (l->by_status[i])
			printf(" %u: %" PRIu64, i, l->by_status[i]);
		if (i != 200 && i != 429 && i != 503 && i != 507)
			bad += l->by_status[i];
	}
	printf("%s\n", l->not_committed ? "; some chunks were not committed" : "");
	return bad ? 1 : 0;
}

/* What was so far does not count. */
static void begin_figures(struct load *l)
{
	l->bytes = l->lines = l->batches = l->wire_bytes = 0;
	l->n_latencies = 0;
}

static void play(struct load *l, int64_t until_ns)
{
	struct epoll_event events[256];
	while (l->busy && (l->over || clock_mono_ns() < until_ns)) {
		int n = epoll_wait(l->epoll, events, 256, 1);
		for (int i = 0; i < n; i++) {
			struct agent *a = events[i].data.ptr;
			if (events[i].events & EPOLLOUT)
				send_on(l, a);
			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				hear(l, a);
		}
		wake_agents(l);
	}
}

static int run(struct load *l)
{
	for (unsigned i = 0; i < TEXTS; i++)
		must(text_make(l->batch / l->n_streams, &l->texts[i]));
	l->agents = calloc(l->n_agents, sizeof(*l->agents));
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!l->agents || l->epoll < 0)
		die("start");
	int64_t began_ns = clock_mono_ns();
	for (unsigned i = 0; i < l->n_agents; i++)
		connect_agent(l, &l->agents[i], i);
	play(l, began_ns + l->warm_seconds * NUM_SEC_NS);
	begin_figures(l);
	double janitor = meter_thread_seconds(l->pid, "janitor"),
	       cpu = meter_seconds(l->pid) - janitor;
	began_ns = clock_mono_ns();
	play(l, began_ns + l->seconds * NUM_SEC_NS);
	l->over = true; /* what is under way is waited for */
	play(l, 0);
	double seconds = (double)(clock_mono_ns() - began_ns) / 1e9;
	double janitor_end = meter_thread_seconds(l->pid, "janitor");
	return report(l, seconds, meter_seconds(l->pid) - janitor_end - cpu, janitor_end - janitor);
}

static uint64_t number(const char *text)
{
	uint64_t n = 0;
	if (num_parse_size(span_of(text), &n) < 0 || n == 0) {
		(void)fprintf(stderr, "load: %s is not a number\n", text);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"agents", 1, NULL, 'a'}, {"streams", 1, NULL, 's'},
					      {"batch", 1, NULL, 'b'},  {"seconds", 1, NULL, 't'},
					      {"pause", 1, NULL, 'w'},  {"pid", 1, NULL, 'p'},
					      {"warm", 1, NULL, 'W'},   {NULL, 0, NULL, 0}};
	struct load l = {.n_agents = 8, .n_streams = 5, .batch = 1 << 20, .seconds = 10};
	int option;
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 'a': l.n_agents = (unsigned)number(optarg); break;
		case 's': l.n_streams = (unsigned)number(optarg); break;
		case 'b': l.batch = number(optarg); break;
		case 'W': l.warm_seconds = (int64_t)number(optarg); break;
		case 't': l.seconds = (int64_t)number(optarg); break;
		case 'w': l.pause_ns = (int64_t)number(optarg) * NUM_MS_NS; break;
		case 'p': l.pid = (int)number(optarg); break;
		default: return 2;
		}
	}
	char *colon = optind + 1 == argc ? strrchr(argv[optind], ':') : NULL;
	l.address.sin_family = AF_INET;
	if (colon)
		*colon = '\0';
	if (!colon || inet_pton(AF_INET, argv[optind], &l.address.sin_addr) != 1) {
		(void)fprintf(stderr, "usage: load [OPTIONS] ADDRESS:PORT\n");
		return 2;
	}
	l.address.sin_port = htons((uint16_t)number(colon + 1));
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	return run(&l);
}
