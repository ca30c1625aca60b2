/* The whole receive path: a request from its header, through authentication, body, memory,
 * inflating, cutting, checking and rendering, to the store's door and back to its answer. Only the
 * two ends pretend: here is the server that knows no sockets (http.h) and the store that knows no
 * disk (store.h). What must hold, whatever comes:
 *
 *     each request ends with one answer, or with the end of its connection
 *     nobody gets at another host's data
 *     what reaches the store is as rendered.h says
 *     all memory, passes and submissions come back
 *
 * The first bytes of an input say what kind of request it is and what happens around it; the rest
 * is path or body. So that mutations come further than gzip's checksum, the body may also be
 * compressed here. */
#include "collector/ingest/request.h"
#include "collector/ingest/scratch.h"
#include "collector/store/store.h"
#include "common/file.h"
#include "common/gzip.h"
#include "common/log.h"
#include "common/report.h"
#include "tests/fuzz/rendered.h"
#include "tests/lib/fakes/submission.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CONTROL_BYTES = 6, MAX_BATCH = 64 << 10, WORKING = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- what an input says --- */

enum {
	SHAPE_COMPRESS = 1 << 0, /* the body is compressed here */
	SHAPE_UNKNOWN = 1 << 1,  /* its length is not announced */
	SHAPE_LIE = 1 << 2,      /* more is announced than comes */
	SHAPE_EXPECT = 1 << 3,   /* the peer waits for a word */
	SHAPE_NO_TYPES = 1 << 4, /* without content type and encoding */
	SHAPE_REMOTE = 1 << 5,   /* from another machine */
	SHAPE_TOKENS = 1 << 6,   /* tokens are needed */
	SHAPE_NO_TOKEN = 1 << 7, /* and it has none */
	AROUND_NO_ROOM = 1 << 0, /* the disk is low */
	AROUND_STALE = 1 << 1,   /* another session comes between */
	AROUND_FAILED = 1 << 2,  /* the store fails */
	AROUND_SHUT = 1 << 3,    /* the door is shut meanwhile */
	AROUND_BUSY = 1 << 4,    /* memory is taken */
	AROUND_DENIED = 1 << 5,  /* and stays so */
	AROUND_GONE = 1 << 6,    /* the peer goes while it waits */
	AROUND_LATE = 1 << 7,    /* the store answers when the handler has returned */
};

static struct {
	uint8_t what, shape, around, piece;
	const char *agent, *report;
} control;

/* --- the store that pretends --- */

struct store {
	int unused;
};
static struct store fake;
static struct submission *unanswered;

const char *store_uuid(const struct store *s)
{
	(void)s;
	return FAKE_UUID;
}

int store_failure(struct store *s, char *ret_what, size_t size)
{
	(void)s;
	(void)snprintf(ret_what, size, "the disk");
	return control.around & AROUND_FAILED ? -EIO : 0;
}

size_t store_blocked(const struct store *s, char *ret_what, size_t size)
{
	(void)s, (void)ret_what, (void)size;
	return 0;
}

int store_admit(struct store *s, uint64_t wal_bytes, uint64_t rendered_bytes)
{
	(void)s, (void)wal_bytes, (void)rendered_bytes;
	return control.around & AROUND_NO_ROOM ? -ENOSPC : 0;
}

struct render_terms store_terms(struct store *s, struct span service, int64_t received_us)
{
	(void)s;
	fuzz_check(service.len <= NAME_MAX_LEN || !name_valid(service));
	return (struct render_terms){received_us, civil_day_of_us(received_us) - 30, received_us};
}

/* A token is for web-01 only: nobody else gets here with it. */
static void check_host(struct span host)
{
	fuzz_check(name_valid_host(host));
	if (control.shape & SHAPE_TOKENS)
		fuzz_check(span_is(host, "web-01") && !(control.shape & SHAPE_NO_TOKEN));
}

int store_session_open(struct store *s, const struct session_request *request,
		       void (*done)(void *user, int result, uint64_t session), void *user)
{
	(void)s;
	check_host(request->host);
	if (control.around & AROUND_FAILED)
		return -EIO;
	done(user, control.around & AROUND_STALE ? -EBUSY : 0, 9);
	return 0;
}

int store_session_host(struct store *s, uint64_t session, char ret_host[NAME_MAX_LEN + 1])
{
	(void)s;
	return fake_session_host(session, ret_host);
}

int store_streams(struct store *s, struct span host, const struct stream_id *after, size_t limit,
		  void (*done)(void *user, int result, struct span rows), void *user)
{
	(void)s, (void)after;
	check_host(host);
	fuzz_check(limit > 0 && limit <= 10000);
	done(user, control.around & AROUND_FAILED ? -EIO : 0, SPAN_LITERAL("{}\n"));
	return 0;
}

void store_counters(struct store *s, struct store_counters *ret)
{
	(void)s;
	*ret = (struct store_counters){.free_bytes = 1};
}

void store_hosts(struct store *s, int64_t now_us,
		 void (*each)(void *user, const struct store_host *h), void *user)
{
	(void)s, (void)now_us;
	each(user, &(struct store_host){.host = SPAN_LITERAL("web-01"), .session = 7});
}

void store_report(struct store *s, struct span host, uint64_t session, const struct report *report,
		  int64_t received_us)
{
	(void)s, (void)session, (void)received_us;
	check_host(host);
	fuzz_check(report->time_us > 0);
}

static void answer_submission(struct submission *sub)
{
	bool failed = control.around & AROUND_FAILED;
	sub->result = failed ? -EIO : control.around & AROUND_STALE ? -ESTALE : 0;
	fake_judge(sub);
	sub->answered(sub, sub->user);
	submission_unref(sub);
}

void store_submit(struct store *s, struct submission *sub)
{
	(void)s;
	check_host(span_of(sub->host));
	for (size_t i = 0; i < sub->batch.n_chunks; i++) {
		const struct batch_chunk *c = &sub->batch.chunks[i];
		fuzz_check(span_is(c->header.host, sub->host));
		if (!c->refused)
			fuzz_check_chunk(c, &sub->rendered[i], span_of(sub->host));
	}
	sub->refs++;
	if (control.around & AROUND_LATE)
		unanswered = sub;
	else
		answer_submission(sub);
}

/* --- the server that pretends --- */

struct http_exchange {
	struct http_peer peer;
	void *user;
	const char *path;
	uint64_t announced;
	bool begun, suspended, resumed, answered, dropped;
};

struct http *http_server(struct http_exchange *x)
{
	(void)x;
	return NULL;
}

struct http_peer *http_peer(struct http_exchange *x)
{
	return &x->peer;
}

static const char *const methods[] = {"POST", "GET", "HEAD", "PUT"};
static const char *const paths[] = {"/v1/batches", "/v1/session", "/v1/streams", "/v1/status",
				    "/metrics",    "/healthz",    "/readyz"};

const char *http_method(const struct http_exchange *x)
{
	(void)x;
	/* Mostly the batch's own. */
	return control.what < 128 ? "POST" : methods[(control.what >> 3) % 4];
}

const char *http_path(const struct http_exchange *x)
{
	return x->path;
}

static char token[TOKEN_LEN + 16]; /* "Bearer ..." of web-01 */

struct span http_header(struct http_exchange *x, const char *name)
{
	(void)x;
	bool types = !(control.shape & SHAPE_NO_TYPES);
	if (strcasecmp(name, "Content-Type") == 0)
		return types ? SPAN_LITERAL(CHUNK_MEDIA_TYPE) : span_of(control.agent);
	if (strcasecmp(name, "Content-Encoding") == 0)
		return types ? SPAN_LITERAL("gzip") : span_of(control.agent);
	if (strcasecmp(name, "Haul-Agent") == 0)
		return span_of(control.agent);
	if (strcasecmp(name, REPORT_HEADER) == 0)
		return span_of(control.report);
	if (strcasecmp(name, "Authorization") == 0)
		return span_of(control.shape & SHAPE_NO_TOKEN ? control.agent : token);
	return span_of(NULL);
}

bool http_has_header(struct http_exchange *x, const char *name)
{
	return http_header(x, name).len > 0;
}

struct span http_argument(struct http_exchange *x, const char *name)
{
	(void)x;
	return strcmp(name, "host") == 0 ? span_of(control.agent) : span_of(NULL);
}

uint64_t http_content_length(struct http_exchange *x)
{
	return x->announced;
}

bool http_expects_continue(struct http_exchange *x)
{
	(void)x;
	return control.shape & SHAPE_EXPECT;
}

void http_set_user(struct http_exchange *x, void *user)
{
	x->user = user;
}

void *http_user(struct http_exchange *x)
{
	return x->user;
}

void http_suspend(struct http_exchange *x)
{
	fuzz_check(!x->suspended && !x->answered && !x->dropped);
	x->suspended = true;
}

void http_resume(struct http_exchange *x)
{
	fuzz_check(x->suspended && !x->resumed);
	x->resumed = true;
}

void http_answer(struct http_exchange *x, struct http_answer a)
{
	static const unsigned known[] = {200, 400, 401, 403, 404, 405,
					 409, 413, 415, 429, 503, 507};
	bool fine = false;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		fine |= a.status == known[i];
	fuzz_check(fine && !x->answered && !x->dropped && !(x->suspended && !x->resumed));
	fuzz_check((a.status == 429 || a.status == 503 || a.status == 507) ==
			   (a.retry_after_s > 0) ||
		   a.status == 503 /* readyz */);
	for (size_t i = 0; a.body && a.status != 200 && i < a.body->len; i++) {
		char c = a.body->ptr[i];
		fuzz_check(c == '\n' ? i + 1 == a.body->len : (unsigned char)c >= ' ' && c != 0x7f);
	}
	if (a.body)
		buf_free(a.body);
	x->answered = true;
}

bool http_answered(const struct http_exchange *x)
{
	return x->answered || x->dropped;
}

void http_drop(struct http_exchange *x)
{
	x->dropped = true;
}

const char *http_address(const struct http *h)
{
	(void)h;
	return "127.0.0.1:8514";
}

unsigned http_exchanges(struct http *h)
{
	(void)h;
	return 1;
}

struct conns_state http_connections(struct http *h)
{
	(void)h;
	return (struct conns_state){.connections = 1};
}

/* --- around it --- */

static struct intake intake;
static struct auth *open_auth, *token_auth;

/* The tokens file is one in memory, which leaves nothing behind. */
static void make_auth(void)
{
	struct conf_error err;
	char dir[] = "/tmp/haul-fuzz.XXXXXX", path[64], memory[64];
	struct buf text = BUF_EMPTY;
	fuzz_check(mkdtemp(dir) != NULL);
	(void)snprintf(path, sizeof(path), "%s/tokens", dir);
	memcpy(token, "Bearer ", 7);
	fuzz_check(tokens_add(path, "web-01", NULL, token + 7, &err) == 0);
	fuzz_check(file_read(AT_FDCWD, path, 4096, &text) == 0);
	fuzz_check(unlink(path) == 0 && rmdir(dir) == 0);
	int fd = memfd_create("tokens", MFD_CLOEXEC);
	fuzz_check(fd >= 0 && file_write_all(fd, buf_span(&text)) == 0);
	buf_free(&text);
	(void)snprintf(memory, sizeof(memory), "/proc/self/fd/%d", fd);
	struct auth_config config = {.tokens_file = "", .anonymous_allowed = true};
	fuzz_check(auth_new(&config, &open_auth, &err) == 0);
	config = (struct auth_config){.tokens_file = memory};
	fuzz_check(auth_new(&config, &token_auth, &err) == 0 && auth_token_count(token_auth) == 1);
}

static void set_up(void)
{
	if (!intake.door) {
		intake.door = door_new("starting");
		intake.complaints = complaints_new();
		intake.inflight = inflight_new();
		fuzz_check(forecast_new(&intake.forecast) == 0);
		intake.receiving = budget_new(WORKING);
		intake.working = budget_new(WORKING);
		intake.scratch = scratch_new();
		atomic_init(&intake.max_batch, MAX_BATCH);
		make_auth();
		fuzz_check(intake.door && intake.receiving && intake.working && intake.scratch);
		log_start("fuzz", (enum log_level)0); /* complaints are not told */
	}
	intake.auth = control.shape & SHAPE_TOKENS ? token_auth : open_auth;
	door_open(intake.door, &fake);
}

/* What is waited for happens, one way or the other. */
static void go_on(struct http_exchange *x)
{
	if (control.around & AROUND_BUSY && !x->resumed && !unanswered) {
		if (control.around & AROUND_DENIED) {
			budget_expire(intake.receiving, INT64_MAX);
			budget_expire(intake.working, INT64_MAX);
		}
		budget_give(intake.receiving, WORKING);
		budget_give(intake.working, WORKING);
		control.around &= (uint8_t)~AROUND_BUSY;
	}
	if (unanswered) {
		struct submission *sub = unanswered;
		unanswered = NULL;
		answer_submission(sub);
	}
	fuzz_check(x->resumed);
}

/* Runs what is suspended until it is not; false: the peer has gone. */
static bool settle(struct http_exchange *x)
{
	while (x->suspended) {
		go_on(x);
		if (control.around & AROUND_GONE)
			return false;
		x->suspended = x->resumed = false;
		request_handler.resumed(x);
	}
	return true;
}

static void exchange(struct http_exchange *x, struct span body)
{
	size_t piece = control.piece ? control.piece * (size_t)64 : body.len;
	request_handler.begin(&intake, x);
	if (!settle(x))
		return;
	while (body.len && !http_answered(x)) {
		struct span part = span_first(body, piece < body.len ? piece : body.len);
		body = span_from(body, part.len);
		request_handler.body(x, part);
	}
	if (control.shape & SHAPE_LIE || http_answered(x))
		return; /* the connection ended before the body, or with an answer */
	if (control.around & AROUND_SHUT)
		door_close(intake.door, "closing");
	request_handler.end(x);
	if (settle(x))
		fuzz_check(http_answered(x));
}

/* What of it fits, and a NUL. */
static void take_line(struct span *rest, char *dst, size_t size)
{
	size_t len = span_find(*rest, '\n'), n = len < size - 1 ? len : size - 1;
	memcpy(dst, rest->ptr, n);
	dst[n] = '\0';
	*rest = span_from(*rest, len < rest->len ? len + 1 : len);
}

static struct span make_body(struct span rest, struct buf *gz)
{
	struct gzip_encoder *e = gzip_encoder_new();
	if (!(control.shape & SHAPE_COMPRESS))
		goto done;
	gzip_encoder_start(e, gz);
	if (gzip_encoder_add(e, rest) == 0 && gzip_encoder_finish(e) == 0)
		rest = buf_span(gz);
done:
	gzip_encoder_free(e);
	return rest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const agents[] = {"9f2c 7 haul-agent/0.1",
					     "9f2c 8 haul-agent/0.1",
					     "9f2c 6 haul-agent/0.1",
					     "9f2c 18446744073709551616 x",
					     "web-01",
					     "db-01"};
	if (size < CONTROL_BYTES)
		return 0;
	control.what = data[0];
	control.shape = data[1];
	control.around = data[2];
	control.piece = data[3];
	char text[256] = "";
	struct span rest = span_make((const char *)data + CONTROL_BYTES, size - CONTROL_BYTES);
	if (data[4] < 200) {
		control.agent = agents[data[4] % 6];
	} else { /* the input's own first line */
		take_line(&rest, text, sizeof(text));
		control.agent = text;
	}
	char report[REPORT_MAX + 64] = "";
	if (data[5] & 1) /* so is its next one */
		take_line(&rest, report, sizeof(report));
	control.report = report;
	struct buf gz = BUF_EMPTY;
	struct span body = make_body(rest, &gz);
	struct http_exchange x = {
		.path = paths[control.what < 128 ? control.what % 2 : control.what % 7],
		.announced = control.shape & SHAPE_UNKNOWN
				     ? HTTP_LENGTH_UNKNOWN
				     : body.len + (control.shape & SHAPE_LIE)};
	((struct sockaddr_in *)&x.peer.address)->sin_family = AF_INET;
	x.peer.local = !(control.shape & SHAPE_REMOTE);
	set_up();
	if (control.around & AROUND_BUSY) {
		budget_force(intake.receiving, WORKING);
		budget_force(intake.working, WORKING);
	}
	exchange(&x, body);
	if (x.user)
		request_handler.gone(&x);
	if (control.around & AROUND_BUSY) {
		budget_give(intake.receiving, WORKING);
		budget_give(intake.working, WORKING);
	}
	free(x.peer.memo);
	buf_free(&gz);
	fuzz_check(fake_submissions == 0 && door_passes(intake.door) == 0);
	fuzz_check(budget_state(intake.receiving).taken == 0 &&
		   budget_state(intake.working).taken == 0);
	(void)door_shut(intake.door, "shut");
	return 0;
}
